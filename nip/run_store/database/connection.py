"""``connect``: opening SQLite files that have a layout version."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from nip.errors import ResumeError, StorageError
from nip.utils.sqlite_errors import ReadableErrors, basic_code, damaged

_UNCHANGING = "&immutable=1"
_NOT_WRITABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})


def connect(
    path: Path,
    layout: int,
    prepare: Callable[[sqlite3.Connection, int], None],
    remedy: str,
    read_only: bool = False,
) -> sqlite3.Connection:
    """Open an SQLite file, and prepare its tables.

    A missing file is created, unless ``read_only``. ``prepare`` creates missing tables, given the
    layout version of the file, which is 0 for a new one.

    A file that is opened for writing is checked for damaged pages, which reads it once. Reading a
    text that is not UTF-8 raises ``ResumeError`` later.

    Raises
    ------
    ResumeError
        If the file is damaged, is empty but ``read_only``, or has a later layout than ``layout``;
        ``remedy`` says what the user can do then.
    StorageError
        If the disk is full or fails, or another program has locked the file.
    """
    is_there = path.exists() and path.stat().st_size > 0
    with _refused_unless_readable(path, remedy):
        connection = connect_for_reading(path) if read_only else _connect_for_writing(path)
        try:
            if not read_only and is_there:
                _check_pages(connection, path, remedy)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            _check_layout(path, version, layout, remedy, must_have_tables=read_only)
            prepare(connection, version)
        except BaseException:
            connection.close()
            raise
    connection.text_factory = _decoder(path, remedy)
    return connection


def _decoder(path: Path, remedy: str) -> Callable[[bytes], str]:
    """Return the function that converts stored texts, which SQLite does not check."""

    def decode(stored: bytes) -> str:
        try:
            return stored.decode("utf-8")
        except UnicodeDecodeError as error:
            raise damaged(path, f"a stored text is not UTF-8 ({stored[:40]!r})", remedy) from error

    return decode


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """Open an SQLite file that another process may be writing; the folder may be read-only."""
    connection = _connect(path, "ro")
    try:
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        # SQLite cannot read a file in WAL mode without writing beside it, unless told that nobody
        # changes it. A process that writes has changes in the -wal file, or holds a lock.
        if not path.exists() or basic_code(error) not in _NOT_WRITABLE:
            raise
        if _is_writable(path):  # Without WAL mode, a killed process leaves half of a change.
            with closing(_connect(path, "rw")) as writer:
                writer.execute("PRAGMA user_version").fetchone()  # SQLite undoes the change.
            return _connect(path, "ro")
        _check_nothing_is_pending(path)
        connection = _connect(path, "ro", _UNCHANGING)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_nothing_is_pending(path: Path) -> None:
    """Raise ``StorageError`` if a process that wrote to a file was killed before it was done."""
    for suffix, content in (("-wal", "changes"), ("-journal", "an unfinished change")):
        pending = Path(f"{path}{suffix}")
        if _has_content(pending):
            raise StorageError(
                f"{pending} holds {content} that cannot be read where nothing can be written. Copy "
                f"{path.parent} to a folder of your own, and open it there."
            ) from None


def close_for_readers(connection: sqlite3.Connection) -> None:
    """Close a file opened for writing so that it can be read from a read-only folder.

    The ``-wal`` file is merged and WAL mode left, unless another process has the file open.
    """
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def _connect_for_writing(path: Path) -> sqlite3.Connection:
    if not path.exists():
        # SQLite would create a file that only its owner can write, whatever the umask.
        with suppress(OSError):  # SQLite reports it.
            path.touch()
    return _connect(path, "rwc")


def _connect(path: Path, mode: str, options: str = "") -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}{options}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _check_pages(connection: sqlite3.Connection, path: Path, remedy: str) -> None:
    (problem,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        raise damaged(path, " ".join(problem.split()), remedy)


def _check_layout(
    path: Path, version: int, layout: int, remedy: str, must_have_tables: bool
) -> None:
    if version == 0 and must_have_tables:
        raise ResumeError(f"{path} is empty. Restore it from a copy, or {remedy}.")
    if version > layout:
        raise ResumeError(
            f"{path} has layout {version}, this version of nip reads layout {layout}. Use the "
            f"version of nip that wrote it, or {remedy}."
        )


@contextmanager
def _refused_unless_readable(path: Path, remedy: str) -> Iterator[None]:
    try:
        with ReadableErrors(path, remedy):
            yield
    except sqlite3.DatabaseError as error:
        raise ResumeError(
            f"{path} cannot be read: {error}. Restore it from a copy, or {remedy}."
        ) from error


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
