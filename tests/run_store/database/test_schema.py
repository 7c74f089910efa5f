"""Migration of files of an older layout."""

import sqlite3

import pytest

from nip.run_store import open_database
from nip.run_store.database import RunDatabase

# As the first version of the package wrote it.
FIRST_LAYOUT = """
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE metrics (
    iteration INTEGER NOT NULL, name TEXT NOT NULL, value REAL, PRIMARY KEY (iteration, name)
) WITHOUT ROWID;
CREATE TABLE run_state (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO metrics VALUES (3, 'loss', 0.25);
INSERT INTO run_state VALUES ('status', 'failed');
PRAGMA user_version = 1;
COMMIT;
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.db"
    connection = sqlite3.connect(path)
    connection.executescript(FIRST_LAYOUT)
    connection.close()
    (tmp_path / "hyper_params.yaml").write_text("seed: 1\n")
    return path


def layout_of(path):
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return version


def test_a_writer_adds_the_missing_tables_and_keeps_what_is_there(path):
    database = RunDatabase(path)
    database.journal.put("key", {"text": "a"})
    database.close()
    assert layout_of(path) == 2
    database = RunDatabase(path)
    assert database.load_history().values("loss") == [(3, 0.25)]
    assert database.get_state("status", "") == "failed"
    assert database.journal.get("key") == {"text": "a"}
    database.close()


def test_a_reader_finds_the_missing_tables_empty_and_leaves_the_file_alone(path):
    before = path.read_bytes()
    with open_database(path.parent) as database:
        assert database.load_history().values("loss") == [(3, 0.25)]
        assert database.journal.get("key") is None
        assert database.rollouts.iterations("train") == []
        assert database.jobs.all() == []
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database.journal.put("key", {})
    assert path.read_bytes() == before


def test_an_upgrade_that_fails_leaves_the_old_layout(path, monkeypatch):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE fine_tuning_jobs (mine TEXT)")
    connection.close()
    with pytest.raises(Exception, match="already exists"):
        RunDatabase(path)
    assert layout_of(path) == 1
    connection = sqlite3.connect(path)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "journal" not in tables
