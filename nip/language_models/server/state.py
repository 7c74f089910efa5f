"""Persistent state of the mock API in SQLite: files, jobs, models and counters."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nip.errors import ParameterError
from nip.language_models.server.tables import (
    CounterTable,
    FileTable,
    FineTuningJobTable,
    ModelTable,
)
from nip.utils.files import kind_of_special_file
from nip.utils.sqlite_errors import ReadableErrors, disk_errors
from nip.utils.sqlite_locks import BUSY_TIMEOUT_MS, LockWait

LAYOUT_VERSION = 1

_TABLES = {"files", "jobs", "models", "requests", "tallies"}

_SCHEMA = f"""
BEGIN;
CREATE TABLE files (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    purpose TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL);
CREATE TABLE models (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    data TEXT NOT NULL
);
CREATE TABLE requests (
    digest BLOB NOT NULL PRIMARY KEY,
    arrivals INTEGER NOT NULL DEFAULT 0,
    generations INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE tallies (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
PRAGMA user_version = {LAYOUT_VERSION};
COMMIT;
"""


class EndpointState:
    """State of the mock API. A state file survives a kill of the process at any time.

    ``path`` is an SQLite file, created if it is missing; None keeps the state in memory. Raise
    ``ParameterError`` if it is not a state file, is damaged, or cannot be written.
    """

    def __init__(self, path: str | None = None) -> None:
        if path is not None and not Path(path).resolve().parent.is_dir():
            raise ParameterError(
                f"The state of the mock API cannot be stored in {path!r}: the folder "
                f"{str(Path(path).parent)!r} does not exist. Create it, or give another file."
            )
        if path is not None and (kind := kind_of_special_file(path)):
            raise ParameterError(
                f"The state of the mock API cannot be stored in {path!r}: it is {kind}. Give "
                "another file, or none to keep the state in memory."
            )
        self._path = path or ":memory:"
        self._connection = _open(path)
        self.files = FileTable(self._connection)
        self.jobs = FineTuningJobTable(self._connection)
        self.models = ModelTable(self._connection)
        self.counters = CounterTable(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all changes made in the ``with`` block, or roll all of them back."""
        with ReadableErrors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # After some errors, such as a full disk, SQLite has already rolled back.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class _WaitingConnection(sqlite3.Connection):
    """A connection whose statements wait while another program has locked the file."""

    lock_wait: LockWait | None = None

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Execute a statement; wait for the lock, which an open transaction holds already."""
        execute = super().execute
        if self.lock_wait is None or (self.in_transaction and sql != "COMMIT"):
            return execute(sql, parameters)
        return self.lock_wait(lambda: execute(sql, parameters))


def _open(path: str | None) -> sqlite3.Connection:
    try:
        # A server may run the application in another thread than the one that created it. All
        # access is from coroutines of one event loop, so it is never concurrent.
        connection = sqlite3.connect(
            path or ":memory:",
            isolation_level=None,
            check_same_thread=False,
            factory=_WaitingConnection,
        )
        try:
            with disk_errors(path or ":memory:"):
                _prepare(connection, path)
                connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
                connection.lock_wait = LockWait(path or ":memory:")
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise ParameterError(
            f"The state of the mock API cannot be stored in {path!r}: {error}. Give another file, "
            "or delete this one to start with empty state."
        ) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: str | None) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # Without fsync a committed transaction survives a kill of the process, though not a power
    # failure. A mock needs no more, and every request commits.
    connection.execute("PRAGMA synchronous = OFF")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    tables = {name for (name,) in connection.execute(query)}
    if version == 0 and not tables:
        connection.executescript(_SCHEMA)
    elif version != LAYOUT_VERSION or not tables >= _TABLES:
        raise ParameterError(f"{path!r} is not a state file of the mock API. Give another file.")
