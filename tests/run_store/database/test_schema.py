"""Migration of files of an older layout."""

import json
import sqlite3

import pytest

from nip.errors import StorageError
from nip.run_store import open_database
from nip.run_store.database import RunDatabase, schema

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
    assert layout_of(path) == 3
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
        with pytest.raises(StorageError, match="readonly"):
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


RECORD = {"position": 4, "messages": [{"round": 0, "agent": "a"}, {"round": 1, "agent": "b"}]}
JOB = {
    "model_group": "g",
    "status": "SUCCEEDED",
    "backend": "b",
    "base_model": "m",
    "method": "supervised",
    "hyper_params": "{}",
    "seed": 1,
    "suffix": "s",
    "dataset_path": "p",
    "dataset_sha256": "d",
    "num_examples": 1,
    "file_name": "f",
    "has_stopped_run": 0,
    "events": "[]",
}


@pytest.fixture
def path_of_layout_2(path):
    """A file of the layout in which iterations and rounds were counted from 0."""
    connection = sqlite3.connect(path)
    for statement in schema._LAYOUTS[2]:
        connection.execute(statement.format(temporary=""))
    for phase, iteration in (("train", 0), ("train", 1), ("train", 2), ("test", 0)):
        row = (phase, iteration, 4, json.dumps(RECORD))
        connection.execute("INSERT INTO rollouts VALUES (?, ?, ?, ?)", row)
    for iteration, attempt in ((0, 0), (1, 0), (1, 1)):
        job = {"key": f"{iteration}-{attempt}", "iteration": iteration, "attempt": attempt, **JOB}
        names = ", ".join(job)
        marks = ", ".join("?" for _ in job)
        connection.execute(
            f"INSERT INTO fine_tuning_jobs ({names}) VALUES ({marks})", tuple(job.values())
        )
    connection.execute("INSERT INTO journal VALUES ('train/2/5/0/a/0', '{}')")
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()
    return path


def check_counts_from_1(database):
    assert database.rollouts.iterations("train") == [1, 2, 3]
    assert database.rollouts.iterations("test") == [1]
    assert database.rollouts.positions("train", 3) == [4]
    (record,) = database.rollouts.load("train", 1)
    assert [message["round"] for message in record["messages"]] == [1, 2]
    assert record["position"] == 4
    jobs = [(job.key, job.iteration, job.attempt) for job in database.jobs.all()]
    assert jobs == [("0-0", 1, 0), ("1-0", 2, 0), ("1-1", 2, 1)]
    assert [job.key for job in database.jobs.of_iteration(2)] == ["1-0", "1-1"]
    assert database.load_history().values("loss") == [(3, 0.25)]
    assert database.journal.get("train/2/5/0/a/0") == {}


def test_a_writer_lets_older_dialogues_and_jobs_count_from_1(path_of_layout_2):
    for _ in range(2):
        database = RunDatabase(path_of_layout_2)
        check_counts_from_1(database)
        database.close()
    assert layout_of(path_of_layout_2) == 3


def test_a_reader_finds_older_dialogues_and_jobs_counted_from_1(path_of_layout_2):
    before = path_of_layout_2.read_bytes()
    with open_database(path_of_layout_2.parent) as database:
        check_counts_from_1(database)
    assert path_of_layout_2.read_bytes() == before
