"""The response cache, which several runs share so that equal calls are paid for only once."""

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from nip.errors import NipError, ParameterError, StorageError, warn_user
from nip.language_models.engine.cache_check import (
    APPLICATION_ID,
    check_is_cache,
    check_is_cache_file,
)
from nip.utils.files import storage_errors
from nip.utils.sqlite_errors import ReadableErrors, disk_errors
from nip.utils.sqlite_locks import BUSY_TIMEOUT_MS, LockWait

_SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID
"""
_OPENING_TIMEOUT_S = 30.0
_RETRY_S = 5.0
"""Seconds without a try after the file could not be written; each try blocks the event loop."""
_REMEDY = "delete it to ask again"


def check_response_cache(path: Path) -> None:
    """Raise ``ParameterError`` if a path cannot be used as response cache; change no file."""
    if path.exists():
        if not os.access(path, os.W_OK):
            raise _unusable(path, "it is not writable")
        try:
            check_is_cache_file(path)
        except sqlite3.DatabaseError as error:
            raise _unusable(path, str(error)) from error
        return
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise _unusable(path, f"{parent} is not writable")


class ResponseCache:
    """Completions in one SQLite file, which several processes may use concurrently.

    While the file cannot be written, new entries are kept in memory, because only other runs need
    them in the file. They are written later, or when the cache is closed.

    Parameters
    ----------
    path : Path
        The file; it and its folder are created if missing.
    unsaved : dict, optional
        Holds the entries that could not be written. One that is given to several caches, one after
        the other, lets a later one write what an earlier one could not.

    Raises
    ------
    ParameterError
        If the file exists but is not a response cache.
    """

    def __init__(self, path: Path, unsaved: dict[str, str] | None = None) -> None:
        self._path = path
        self._lock_wait = LockWait(path)
        self._unsaved = {} if unsaved is None else unsaved
        self._retry_at = 0.0
        try:
            with storage_errors(path), disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._connection = _open(path)
        except StorageError:
            raise
        except (OSError, sqlite3.DatabaseError) as error:
            raise _unusable(path, str(error)) from error

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the entry with a key; None if there is none."""
        if (text := self._unsaved.get(key)) is None:
            query = "SELECT entry FROM responses WHERE key = ?"
            with ReadableErrors(self._path, _REMEDY):
                row = self._lock_wait(lambda: self._connection.execute(query, (key,)).fetchone())
            if row is None:
                return None
            text = row[0]
        entry: dict[str, Any] = json.loads(text)
        return entry

    def put(self, key: str, entry: Mapping[str, Any]) -> None:
        """Store an entry unless the key exists, so that all runs get the same completion."""
        self._unsaved.setdefault(key, json.dumps(dict(entry), ensure_ascii=False))
        if time.monotonic() < self._retry_at:
            return
        try:
            self._save()
        except StorageError as error:
            if len(self._unsaved) == 1:
                warn_user(
                    f"The response cache {self._path} cannot be written ({error.__cause__}). The "
                    "run goes on, keeps its new entries in memory, and tries to write them every "
                    f"{_RETRY_S:g} s."
                )
            self._retry_at = time.monotonic() + _RETRY_S
        else:
            self._retry_at = 0.0

    def close(self) -> None:
        """Write what is left, and close the file."""
        try:
            if self._unsaved:
                self._save()
        except NipError as error:
            warn_user(
                f"{len(self._unsaved)} answers are missing in the response cache {self._path} "
                f"({error.__cause__}). Other runs ask for them again, unless the next stage of "
                "this one can write them."
            )
        finally:
            self._connection.close()

    def _save(self) -> None:
        statement = "INSERT OR IGNORE INTO responses VALUES (?, ?)"
        with ReadableErrors(self._path, _REMEDY), self._connection:
            self._connection.executemany(statement, self._unsaved.items())
        self._unsaved.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _unusable(path: Path, reason: str) -> ParameterError:
    return ParameterError(
        f"settings.response_cache={str(path)!r} cannot be used: {reason}. Give a file that "
        "is used for nothing else; it is created if it is missing."
    )


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_OPENING_TIMEOUT_S, check_same_thread=False)
    try:
        check_is_cache(connection)
        # With WAL, readers of other processes do not block the writer. NORMAL syncs only at
        # checkpoints: a power failure may lose the last entries, which costs a call, not a result.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute(_SCHEMA)
        if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    except BaseException:
        connection.close()
        raise
    return connection


def cache_key(address: str, digest: str) -> str:
    """Return the cache key of a call with the ``request_digest`` ``digest``.

    The base URL is part of it, because servers may use the same name for different models.
    """
    return hashlib.sha256(f"{address}\n{digest}".encode()).hexdigest()
