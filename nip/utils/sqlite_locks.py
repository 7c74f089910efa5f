"""``LockWait``: writing to an SQLite file that another program may have locked."""

import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from nip.errors import warn_user
from nip.utils.sqlite_errors import basic_code
from nip.utils.stop_signals import is_stop_requested

T = TypeVar("T")

BUSY_TIMEOUT_MS = 250
"""How long SQLite itself waits for a lock; Python handles no signal meanwhile."""

_ANNOUNCED_S = 2.0
"""Longer waits are announced."""

_AFTER_STOP_S = 5.0
"""How long the wait goes on after a signal has asked this process to stop."""


class LockWait:
    """Repeats statements that SQLite refuses because another program has locked the file.

    What is to be written, such as an answer that was paid for, is in memory until then. The wait
    blocks the thread, is announced, and ends soon after a signal has asked the process to stop.

    Parameters
    ----------
    path : Path or str
        The file, for the announcement.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._gives_up_at: float | None = None

    def __call__(self, execute: Callable[[], T]) -> T:
        """Call a function until the file is not locked, and return its result.

        Raises
        ------
        sqlite3.OperationalError
            If the file is still locked when the process has to stop, or for other reasons.
        """
        try:
            return execute()
        except sqlite3.OperationalError as error:
            if not _is_locked(error):
                raise
        return self._repeat(execute)

    def _repeat(self, execute: Callable[[], T]) -> T:
        began_at, since, is_announced = time.monotonic(), datetime.now().astimezone(), False
        while True:
            try:
                result = execute()
                break
            except sqlite3.OperationalError as error:
                if not _is_locked(error) or self._has_to_give_up():
                    raise
            if not is_announced and time.monotonic() - began_at > _ANNOUNCED_S:
                is_announced = True
                warn_user(
                    f"{self._path} has been locked by another program since {since:%H:%M:%S}. This "
                    "process waits until it can write to it, and keeps what it has received. Close "
                    "what has the file open; Ctrl-C stops."
                )
            time.sleep(0.01)  # SQLite returns at once if it expects that waiting is of no use.
        if is_announced:
            seconds = time.monotonic() - began_at
            warn_user(f"{self._path} can be written again, after {seconds:.0f} s.")
        return result

    def _has_to_give_up(self) -> bool:
        if not is_stop_requested():
            self._gives_up_at = None
            return False
        # One limit for all statements: hundreds of answers may wait to be written.
        if self._gives_up_at is None:
            self._gives_up_at = time.monotonic() + _AFTER_STOP_S
        return time.monotonic() >= self._gives_up_at


def _is_locked(error: sqlite3.Error) -> bool:
    # Neither a lock of this connection nor a snapshot that is too old goes away by waiting.
    code = getattr(error, "sqlite_errorcode", 0)
    return basic_code(error) == sqlite3.SQLITE_BUSY and code != sqlite3.SQLITE_BUSY_SNAPSHOT
