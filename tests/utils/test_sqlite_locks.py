"""Writes to a locked SQLite file wait, say so, and end when the process has to stop."""

import os
import signal
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from nip.errors import NipWarning, StorageError
from nip.run_store.database import RunDatabase
from nip.utils import sqlite_locks
from nip.utils.sqlite_locks import LockWait
from nip.utils.stop_signals import cancelling, handled_signals


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(sqlite_locks, "_ANNOUNCED_S", 0.02)
    monkeypatch.setattr(sqlite_locks, "_AFTER_STOP_S", 0.05)


@pytest.fixture
def database(tmp_path):
    with closing(RunDatabase(tmp_path / "run.db")) as database:
        database.set_state("before", "1")
        database.transaction.execute("PRAGMA busy_timeout = 10", ())
        yield database


@pytest.fixture
def other(tmp_path, database):
    connection = sqlite3.connect(tmp_path / "run.db", isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def released_after(seconds, connection):
    timer = threading.Timer(seconds, connection.execute, ["ROLLBACK"])
    timer.start()
    return timer


def write_in_transaction(database):
    with database.transaction():
        database.set_state("answer", "paid")


def write_alone(database):
    database.set_state("answer", "paid")


@pytest.mark.parametrize("write", [write_in_transaction, write_alone])
def test_a_write_waits_for_the_lock_and_says_so(database, other, write):
    releasing = released_after(0.2, other)
    with pytest.warns(NipWarning) as warned:
        write(database)
    releasing.join()
    assert database.get_state("answer", "") == "paid"
    texts = [str(each.message) for each in warned]
    assert len(texts) == 2
    assert "run.db has been locked by another program since" in texts[0]
    assert "run.db can be written again, after 0 s." in texts[1]


def test_after_a_signal_the_wait_ends_for_all_writes_together(database, other, monkeypatch):
    monkeypatch.setattr(sqlite_locks, "_ANNOUNCED_S", 60.0)
    with handled_signals(), cancelling(lambda: None):
        os.kill(os.getpid(), signal.SIGUSR1)
        began_at = time.monotonic()
        for _ in range(10):
            with pytest.raises(StorageError, match=r"run\.db is locked by another program"):
                database.set_state("answer", "paid")
        assert time.monotonic() - began_at < 0.5
    other.execute("ROLLBACK")
    database.set_state("answer", "paid")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_BUSY_SNAPSHOT])
def test_what_does_not_go_away_by_waiting_is_raised_at_once(code):
    error = sqlite3.OperationalError("database table is locked")
    error.sqlite_errorcode = code

    def fail():
        raise error

    with pytest.raises(sqlite3.OperationalError):
        LockWait("x.db")(fail)
