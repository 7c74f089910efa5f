"""``JournalFile``: a journal of paid answers in an SQLite file of its own."""

import sqlite3
from pathlib import Path
from typing import Self

from nip.errors import ResumeError
from nip.run_store.database.connection import close_for_readers, connect
from nip.run_store.database.journal import RunJournal
from nip.run_store.database.transactions import Transactions
from nip.utils.file_lock import FileLock

LAYOUT_VERSION = 1


class JournalFile:
    """A journal for work that leaves no run, used by one process at a time. A context manager.

    Parameters
    ----------
    path : Path
        The file, created if missing, together with its folder.

    Raises
    ------
    ResumeError
        If another process uses the file, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"))
        if not self._lock.acquire(wait=False):
            raise ResumeError(f"{path} is in use by {self._lock.holder()}. Wait until it ends.")
        try:
            self._connection = connect(
                path, LAYOUT_VERSION, _create_table, "move it to start again"
            )
        except BaseException:
            self._lock.release()
            raise
        self.journal = RunJournal(Transactions(self._connection))

    def close(self) -> None:
        """Close the file and release the lock."""
        close_for_readers(self._connection)
        self._lock.release()

    def __enter__(self) -> Self:
        """Return the journal file."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the file."""
        self.close()


def _create_table(connection: sqlite3.Connection, version: int) -> None:
    if version == LAYOUT_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE journal (key TEXT NOT NULL PRIMARY KEY, entry TEXT NOT NULL)")
    connection.execute(f"PRAGMA user_version = {LAYOUT_VERSION}")
    connection.execute("COMMIT")
