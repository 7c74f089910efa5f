"""Recognise files of the response cache, so that no other database is changed."""

import sqlite3
from contextlib import closing
from pathlib import Path

APPLICATION_ID = 0x6E697063
"""Number in the header of the files (``nipc`` in ASCII). Those of earlier versions have 0."""

_TABLE = "responses"
_COLUMNS = ["key", "entry"]


def check_is_cache(connection: sqlite3.Connection) -> None:
    """Raise ``sqlite3.DatabaseError`` if a file is neither new nor a response cache."""
    (number,) = connection.execute("PRAGMA application_id").fetchone()
    if number == APPLICATION_ID:
        return
    query = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    names = [name for (name,) in connection.execute(query)]
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({_TABLE})")]
    if number == 0 and (not names or (names == [_TABLE] and columns == _COLUMNS)):
        return
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise sqlite3.DatabaseError(f"it is another database, with {shown or 'an ID of its own'}")


def check_is_cache_file(path: Path) -> None:
    """Do the same for an existing file, which is not changed and beside which none is made."""
    # Without a file beside it nobody is writing, and SQLite would make one in order to read.
    options = "" if Path(f"{path}-wal").exists() else "&immutable=1"
    uri = f"{path.resolve().as_uri()}?mode=ro{options}"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        check_is_cache(connection)
