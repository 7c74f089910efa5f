"""The response cache: answers that several runs share, so that none pays twice for one question."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from nip.errors import ParameterError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID
"""
_BUSY_TIMEOUT_S = 30.0


def check_response_cache(path: Path) -> None:
    """Tell whether a cache can be used, without making one.

    Raises
    ------
    ParameterError
        If there is something else in its place, or no place for it.
    """
    if path.exists():
        ResponseCache(path).close()
        return
    home = next(folder for folder in path.absolute().parents if folder.exists())
    if not home.is_dir() or not os.access(home, os.W_OK):
        raise _unusable(path, f"nothing can be written in {home}")


class ResponseCache:
    """Answers in one SQLite file, which several processes may use at once.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made when missing.

    Raises
    ------
    ParameterError
        If there is a file, but no such cache.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _open(path)
        except (OSError, sqlite3.DatabaseError) as error:
            raise _unusable(path, str(error)) from error

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the answer that was stored under a key; None if there is none."""
        query = "SELECT entry FROM responses WHERE key = ?"
        row = self._connection.execute(query, (key,)).fetchone()
        if row is None:
            return None
        entry: dict[str, Any] = json.loads(row[0])
        return entry

    def put(self, key: str, entry: Mapping[str, Any]) -> None:
        """Store an answer; the first under a key stays, so that all runs see the same."""
        text = json.dumps(dict(entry), ensure_ascii=False)
        with self._connection:
            self._connection.execute("INSERT OR IGNORE INTO responses VALUES (?, ?)", (key, text))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _unusable(path: Path, reason: str) -> ParameterError:
    return ParameterError(
        f"settings.response_cache={str(path)!r} cannot be used: {reason}. Name a file of its own "
        "for the cache; it is made when it is missing."
    )


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def cache_key(address: str, digest: str) -> str:
    """Return the key of a call in the cache.

    Parameters
    ----------
    address : str
        Where the model is; two servers may give one name to different models.
    digest : str
        What ``request_digest`` gives for the call.
    """
    return hashlib.sha256(f"{address}\n{digest}".encode()).hexdigest()
