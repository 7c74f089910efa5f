"""Opening SQLite files, and the errors of files that cannot be used."""

import os
import signal
import sqlite3

import pytest

from nip.errors import ResumeError, StorageError
from nip.run_store.database.connection import close_for_readers, connect, connect_for_reading
from nip.run_store.database.transactions import Transactions
from tests.other_users import as_other_user, read_only


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
    with pytest.raises(ResumeError, match=r"empty\.db is empty\. .*, or start again\."):
        open_file(tmp_path / "empty.db", read_only=True)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "x.db").write_text("something else" * 100)
    with pytest.raises(ResumeError, match=r"x\.db is damaged: .*, or start again\."):
        open_file(tmp_path / "x.db")


def file_of_many_pages(path):
    connection = open_file(path)
    with connection:
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 100)
    close_for_readers(connection)
    return path


@pytest.mark.parametrize("page", [1, 7])
def test_a_damaged_page_is_refused_before_anything_is_written(tmp_path, page):
    path = file_of_many_pages(tmp_path / "x.db")
    content = bytearray(path.read_bytes())
    content[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises(ResumeError, match=r"x\.db is damaged: .*, or start again\."):
        open_file(path)
    assert path.read_bytes() == bytes(content)


def rows_as_other_user(path):
    return as_other_user(lambda: _rows(path))


def _rows(path):
    connection = connect_for_reading(path)
    (number,) = connection.execute("SELECT count(*) FROM t").fetchone()
    connection.close()
    return number


def test_a_closed_file_is_read_by_another_user_from_a_read_only_folder(tmp_path):
    path = file_of_many_pages(tmp_path / "x.db")
    assert os.listdir(tmp_path) == ["x.db"]
    with read_only(tmp_path):
        assert rows_as_other_user(path) == 100


def test_a_file_left_in_wal_mode_is_read_without_writing(tmp_path):
    path = file_of_many_pages(tmp_path / "x.db")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    with read_only(tmp_path):
        assert rows_as_other_user(path) == 100
    assert os.listdir(tmp_path) == ["x.db"]


def test_a_file_that_is_being_written_is_read_by_another_user(tmp_path):
    path = file_of_many_pages(tmp_path / "x.db")
    connection = open_file(path)
    insert(connection)
    assert (tmp_path / "x.db-wal").exists()
    with read_only(tmp_path):
        assert rows_as_other_user(path) == 101
    close_for_readers(connection)


def insert(connection):
    with Transactions(connection)():
        connection.execute("INSERT INTO t VALUES (1)")


def leave_killed(path):
    child = os.fork()
    if child == 0:
        insert(open_file(path))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def test_what_a_killed_process_has_written_is_read_by_another_user(tmp_path):
    path = file_of_many_pages(tmp_path / "x.db")
    leave_killed(path)
    with read_only(tmp_path):
        assert rows_as_other_user(path) == 101


def test_changes_that_cannot_be_read_without_writing_are_named(tmp_path):
    path = file_of_many_pages(tmp_path / "x.db")
    leave_killed(path)
    (tmp_path / "x.db-shm").unlink()
    with read_only(tmp_path):
        error = as_other_user(lambda: _error(path))
    assert "x.db-wal holds changes" in error and "Copy" in error


def test_an_unfinished_change_is_not_read_as_a_finished_one(tmp_path):
    path = file_of_many_pages(tmp_path / "x.db")
    child = os.fork()
    if child == 0:
        begin_change(path)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert (tmp_path / "x.db-journal").stat().st_size > 0
    with read_only(tmp_path):
        error = as_other_user(lambda: _error(path))
    assert "x.db-journal holds an unfinished change" in error and "Copy" in error
    reader = connect_for_reading(path)
    assert reader.execute("SELECT count(*), sum(x LIKE 'y%') FROM t").fetchone() == (100, 0)
    reader.close()


def begin_change(path):
    """Let a part of a change, without WAL mode, reach the file."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size = 10")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("UPDATE t SET x = 'y' || x")
    return connection


def test_a_file_that_another_process_has_locked_is_not_read_during_a_change(tmp_path, monkeypatch):
    path = file_of_many_pages(tmp_path / "x.db")
    writer = begin_change(path)
    connect_slowly = sqlite3.connect

    def connect_at_once(*arguments, **keywords):
        return connect_slowly(*arguments, **keywords, timeout=0)

    monkeypatch.setattr(sqlite3, "connect", connect_at_once)
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        connect_for_reading(path)
    writer.close()


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o002)
    try:
        connection = open_file(tmp_path / "x.db")
        insert(connection)
        modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("x.db", "x.db-wal", "x.db-shm"), 0o664)
    close_for_readers(connection)


def _error(path):
    with pytest.raises(StorageError) as caught:
        _rows(path)
    return str(caught.value)


def test_a_reader_does_not_keep_the_writer_from_closing(tmp_path):
    path = file_of_many_pages(tmp_path / "x.db")
    writer, reader = open_file(path), connect_for_reading(path)
    insert(writer)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (101,)
    close_for_readers(writer)
    reader.close()
    assert _rows(path) == 101


def test_a_text_that_is_none_is_damage(tmp_path):
    connection = open_file(tmp_path / "x.db")
    connection.execute("INSERT INTO t VALUES ('é'), (CAST(x'ff1b' AS TEXT))")
    rows = connection.execute("SELECT x FROM t")
    assert rows.fetchone() == ("é",)
    with pytest.raises(ResumeError, match=r"x\.db is damaged: a stored text is not UTF-8.*again"):
        rows.fetchone()
    connection.close()
