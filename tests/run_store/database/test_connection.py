"""Opening SQLite files, and the errors of files that cannot be used."""

import sqlite3

import pytest

from nip.errors import ResumeError
from nip.run_store.database.connection import connect


def open_file(path, layout=1, read_only=False):
    def prepare(connection, version):
        if version == 0:
            connection.execute("CREATE TABLE t (x)")
            connection.execute(f"PRAGMA user_version = {layout}")

    return connect(path, layout, prepare, "start again", read_only)


def test_a_new_file_is_prepared_and_a_known_one_is_read(tmp_path):
    path = tmp_path / "a b#c.db"
    with open_file(path) as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    connection.close()
    reader = open_file(path, read_only=True)
    assert reader.execute("SELECT x FROM t").fetchall() == [(1,)]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM t")
    reader.close()


def test_a_later_layout_and_an_empty_file_for_reading_are_refused(tmp_path):
    open_file(tmp_path / "later.db", layout=3).close()
    with pytest.raises(ResumeError, match=r"layout 3, .* reads layout 1\..*, or start again\."):
        open_file(tmp_path / "later.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(ResumeError, match="layout 0"):
        open_file(tmp_path / "empty.db", read_only=True)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "x.db").write_text("something else" * 100)
    with pytest.raises(ResumeError, match=r"x\.db cannot be read: .*, or start again\."):
        open_file(tmp_path / "x.db")
