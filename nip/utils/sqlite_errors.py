"""Errors of SQLite as errors for users: a full disk, a damaged file, a locked file."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nip.errors import LockedFileError, ResumeError
from nip.utils.files import CHECK_DISK, CHECK_PERMISSIONS, FREE_SPACE, storage_error

_DISK = {sqlite3.SQLITE_FULL: FREE_SPACE, sqlite3.SQLITE_IOERR: CHECK_DISK}
_PERMISSIONS = {
    sqlite3.SQLITE_READONLY: CHECK_PERMISSIONS,
    sqlite3.SQLITE_CANTOPEN: CHECK_PERMISSIONS,
}
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class ReadableErrors:
    """Context manager that raises errors of SQLite as ``StorageError`` or ``ResumeError``.

    ``StorageError`` is raised for disk, permissions and locks, ``ResumeError`` for damage.
    Others, such as those of wrong statements, are not changed.

    It has no state and may be entered any number of times, also while it is entered: it is needed
    for each statement, and a generator would take as long as a query.

    Parameters
    ----------
    path : Path or str
        The file, for the message.
    remedy : str
        What to do if the file is damaged and there is no copy.
    """

    def __init__(self, path: Path | str, remedy: str = "start a new run") -> None:
        self._path = path
        self._remedy = remedy

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Translate the error of the block, if it is one of SQLite."""
        if not isinstance(error, sqlite3.DatabaseError):
            return
        code = basic_code(error)
        if code in _DISK or code in _PERMISSIONS:
            remedy = {**_DISK, **_PERMISSIONS}[code]
            raise storage_error(self._path, str(error), remedy) from error
        if code in _DAMAGE:
            raise damaged(self._path, str(error), self._remedy) from error
        if code in _LOCKED:
            raise LockedFileError(
                f"{self._path} is locked by another program ({error}). Close what has it open, and "
                "start again."
            ) from error


@contextmanager
def disk_errors(path: Path | str) -> Iterator[None]:
    """Raise ``StorageError`` if SQLite reports a full or failing disk in a ``with`` block."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if basic_code(error) not in _DISK:
            raise
        raise storage_error(path, str(error), _DISK[basic_code(error)]) from error


def basic_code(error: sqlite3.Error) -> int:
    """Return the basic code of an error; extended codes have further bits above it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def damaged(path: Path | str, problem: str, remedy: str = "start a new run") -> ResumeError:
    """Return the error for a damaged file."""
    return ResumeError(f"{path} is damaged: {problem}. Restore it from a copy, or {remedy}.")


def file_of(connection: sqlite3.Connection) -> str:
    """Return the path of the file of a connection; empty for a database in memory."""
    return str(connection.execute("PRAGMA database_list").fetchone()[2])
