"""``connect``: opening SQLite files that have a layout version."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from nip.errors import ResumeError


def connect(
    path: Path,
    layout: int,
    prepare: Callable[[sqlite3.Connection, int], None],
    remedy: str,
    read_only: bool = False,
) -> sqlite3.Connection:
    """Open an SQLite file in WAL mode, and prepare its tables.

    A missing file is created, unless ``read_only``. ``prepare`` creates missing tables, given the
    layout version of the file, which is 0 for a new one. ``ResumeError`` is raised if the file is
    damaged or has a later layout than ``layout``; ``remedy`` says what the user can do then.
    """
    mode = "ro" if read_only else "rwc"
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > layout or (version == 0 and read_only):
            raise ResumeError(
                f"{path} has layout {version}, this version of nip reads layout {layout}. Use the "
                f"version of nip that wrote it, or {remedy}."
            )
        prepare(connection, version)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ResumeError(
            f"{path} cannot be read: {error}. Restore it from a copy, or {remedy}."
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection
