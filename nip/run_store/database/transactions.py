"""All or nothing: several writes to ``run.db`` as one."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Transactions:
    """The transactions of one connection, which may lie within one another.

    The outermost decides: what happens within it is on the disk when it ends, and not before. An
    inner one that fails undoes its own part only, so an error that is caught leaves nothing half
    done.

    One thread at a time is within a transaction; others wait. In asyncio, do not ``await`` within
    one: what other tasks write meanwhile would become a part of it.

    Parameters
    ----------
    connection : sqlite3.Connection
        An SQLite connection with ``isolation_level=None``, which begins nothing by itself.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self._depth = 0

    @property
    def is_open(self) -> bool:
        """Whether something is being written that is not yet stored."""
        return self._depth > 0

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for a query; what an open transaction has written is seen."""
        with self._lock:
            yield self._connection

    @contextmanager
    def __call__(self) -> Iterator[sqlite3.Connection]:
        """Give the connection; keep all that is written with it, or, after an error, nothing."""
        with self._lock:
            begin, commit, undo = _statements(self._depth)
            self._connection.execute(begin)
            self._depth += 1
            try:
                yield self._connection
                self._connection.execute(commit)
            except BaseException:
                self._undo(undo)
                raise
            finally:
                self._depth -= 1

    def _undo(self, statements: tuple[str, ...]) -> None:
        # After some errors, a full disk for example, SQLite has undone everything by itself.
        if self._connection.in_transaction:
            for statement in statements:
                self._connection.execute(statement)


def _statements(depth: int) -> tuple[str, str, tuple[str, ...]]:
    if depth == 0:
        return "BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",)
    release = f"RELEASE inner_{depth}"
    return f"SAVEPOINT inner_{depth}", release, (f"ROLLBACK TO inner_{depth}", release)
