"""Metrics and state in ``run.db``."""

import math
import os
import sqlite3
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import ResumeError, StorageError
from nip.run_store.database import RunDatabase
from nip.run_store.database.history import RunHistory
from tests.small_disks import small_disk


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.db"


@given(
    logs=st.dictionaries(
        st.integers(0, 2**40), st.dictionaries(st.text(), st.floats(allow_nan=True), max_size=4)
    )
)
def test_reopened_metrics_are_those_in_memory_bit_for_bit(tmp_path_factory, logs):
    path = tmp_path_factory.mktemp("db") / "run.db"
    history = RunHistory()
    database = RunDatabase(path)
    for iteration, metrics in logs.items():
        database.log_metrics(iteration, metrics)
        history.update(iteration, metrics)
    database.close()
    database = RunDatabase(path)
    loaded = database.load_history()
    database.close()
    assert loaded.names() == history.names()
    for name in history.names():
        for (i, read), (j, kept) in zip(loaded.values(name), history.values(name), strict=True):
            assert i == j
            assert bits(read) == bits(kept) or (math.isnan(read) and math.isnan(kept))


def test_numbers_of_other_libraries_are_stored_as_numbers(path):
    import numpy as np
    import torch

    database = RunDatabase(path)
    database.log_metrics(0, {"a": np.float32(0.5), "b": torch.tensor(0.25), "c": 3, "d": True})
    assert database.load_history().latest_all() == {"a": 0.5, "b": 0.25, "c": 3.0, "d": 1.0}
    database.close()


def test_a_log_call_that_fails_stores_none_of_its_metrics(path):
    database = RunDatabase(path)
    with pytest.raises(ValueError, match="could not convert"):
        database.log_metrics(0, {"good": 1.0, "bad": "not a number"})
    assert database.load_history().names() == []
    database.close()


def test_the_file_is_in_wal_mode_while_written_and_the_table_can_be_read_by_any_sqlite(path):
    database = RunDatabase(path)
    database.log_metrics(3, {"loss": math.nan, "accuracy": 0.5})
    assert path.with_name("run.db-wal").exists()
    database.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        rows = connection.execute("SELECT iteration, name, value FROM metrics").fetchall()
    connection.close()
    assert rows == [(3, "accuracy", 0.5), (3, "loss", None)]


def merged_content(path, folder):
    """Return the metrics that are left if a power failure loses what was not flushed."""
    copy = folder / "copy.db"
    copy.write_bytes(path.read_bytes())
    database = RunDatabase(copy)
    history = database.load_history()
    database.close()
    return history.to_dict()


def test_flush_merges_everything_into_the_file(path, tmp_path):
    database = RunDatabase(path)
    database.log_metrics(1, {"loss": 0.5})
    database.flush()
    assert merged_content(path, tmp_path) == {"loss": [(1, 0.5)]}
    database.close()


def test_flush_reaches_the_disk_although_a_reader_keeps_it_from_merging(path, monkeypatch):
    database, flushed = RunDatabase(path), []
    database.log_metrics(1, {"loss": 1.0})
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM metrics").fetchone() == (1,)
    database.log_metrics(2, {"loss": 0.5})
    fsync = os.fsync

    def record(descriptor):
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    database.flush()
    assert flushed == ["run.db-wal", path.parent.name]
    flushed.clear()
    reader.close()
    database.flush()
    assert flushed == []
    database.close()


def test_a_full_disk_is_an_error_that_loses_nothing(tmp_path):
    with small_disk(tmp_path / "disk", 200) as (folder, resize):
        database = RunDatabase(folder / "run.db")
        database.log_metrics(1, {"loss": 1.0})
        with pytest.raises(StorageError, match=r"run\.db cannot be accessed: database or disk is"):
            database.log_metrics(2, {f"metric {number}": 0.0 for number in range(10_000)})
        assert database.load_history().to_dict() == {"loss": [(1, 1.0)]}
        resize(10_000)
        database.log_metrics(2, {"loss": 0.5})
        database.close()
        assert merged_content(folder / "run.db", tmp_path) == {"loss": [(1, 1.0), (2, 0.5)]}


def test_truncate_deletes_later_iterations_only(path):
    database = RunDatabase(path)
    for iteration in (1, 2, 10):
        database.log_metrics(iteration, {"loss": float(iteration)})
    database.truncate_metrics(2)
    assert database.load_history().values("loss") == [(1, 1.0), (2, 2.0)]
    database.close()


def test_state_survives_reopening(path):
    database = RunDatabase(path)
    assert database.get_state("status", "running") == "running"
    database.set_state("status", "failed")
    database.set_state("status", "completed")
    database.close()
    database = RunDatabase(path)
    assert database.get_state("status", "running") == "completed"
    database.close()


def test_a_reader_sees_what_a_writer_has_stored_so_far_and_changes_nothing(path):
    writer = RunDatabase(path)
    writer.log_metrics(1, {"loss": 1.0})
    reader = RunDatabase(path, read_only=True)
    writer.log_metrics(2, {"loss": 0.5})
    assert reader.load_history().values("loss") == [(1, 1.0), (2, 0.5)]
    with pytest.raises(StorageError, match="readonly"):
        reader.set_state("status", "failed")
    reader.close()
    writer.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    path.write_bytes(b"thesis " * 1000)
    with pytest.raises(ResumeError, match="not a database"):
        RunDatabase(path)
    assert path.read_bytes() == b"thesis " * 1000


def test_a_database_of_a_later_version_is_refused(path):
    RunDatabase(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ResumeError, match="layout 99"):
        RunDatabase(path)
