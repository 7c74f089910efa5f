"""Nested transactions on one SQLite connection."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nip.utils.sqlite_errors import ReadableErrors, file_of
from nip.utils.sqlite_locks import BUSY_TIMEOUT_MS, LockWait


class Transactions:
    """Nested transactions of one connection, which has ``isolation_level=None``.

    Writes are committed when the outermost transaction ends. An inner transaction that fails is
    rolled back to its savepoint, so that a caught error leaves no partial writes.

    The first one sets the file to WAL mode, in which it can be read at the same time, and which
    ``close_for_readers`` ends.

    While another program has locked the file, writes wait; see ``LockWait``.

    Only one thread at a time can be in a transaction; others wait. In asyncio, do not ``await`` in
    a transaction: writes of other tasks would become part of it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._errors = ReadableErrors(file_of(connection))
        self._lock_wait = LockWait(file_of(connection))
        self._lock = threading.RLock()
        self._depth = 0
        self._has_begun = False

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open."""
        return self._depth > 0

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for a query, which sees the writes of an open transaction."""
        with self._lock, self._errors:
            yield self._connection

    @contextmanager
    def __call__(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection; commit the writes of the block, or roll them back on an error."""
        with self._lock, self._errors:
            self._begin_writing()
            begin, commit, undo = _statements(self._depth)
            self._execute(begin)
            self._depth += 1
            try:
                yield self._connection
                self._execute(commit)
            except BaseException:
                self._roll_back(undo)
                raise
            finally:
                self._depth -= 1

    def execute(self, statement: str, values: Sequence[object]) -> None:
        """Execute a statement that writes, in the open transaction or in one of its own.

        SQLite undoes a statement that fails, so that it needs neither ``BEGIN`` nor a savepoint,
        which would take as long as most statements.
        """
        with self._lock, self._errors:
            self._begin_writing()
            self._execute(statement, values)

    def _execute(self, statement: str, values: Sequence[object] = ()) -> None:
        if self._depth > 0 and statement != "COMMIT":
            # The file is locked by the transaction, which SQLite may end when a statement fails.
            self._connection.execute(statement, values)
        else:
            self._lock_wait(lambda: self._connection.execute(statement, values))

    def _begin_writing(self) -> None:
        if self._has_begun:
            return
        self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        (mode,) = self._lock_wait(
            lambda: self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
        )
        # Some network file systems have no WAL mode. Without it, NORMAL could damage the file.
        synchronous = "NORMAL" if mode == "wal" else "FULL"
        self._connection.execute(f"PRAGMA synchronous = {synchronous}")
        self._has_begun = True

    def _roll_back(self, statements: tuple[str, ...]) -> None:
        # After some errors, such as a full disk, SQLite has already rolled back.
        if self._connection.in_transaction:
            for statement in statements:
                self._connection.execute(statement)


def _statements(depth: int) -> tuple[str, str, tuple[str, ...]]:
    if depth == 0:
        return "BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",)
    release = f"RELEASE inner_{depth}"
    return f"SAVEPOINT inner_{depth}", release, (f"ROLLBACK TO inner_{depth}", release)
