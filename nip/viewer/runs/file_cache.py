"""``FileCache``: results that were computed from files, until the files change."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
Signature = tuple[tuple[int, int, int] | None, ...]


class FileCache(Generic[T]):
    """Results by key, each valid while its files have the same inode, size and time.

    Parameters
    ----------
    max_entries : int
        Number of results that are kept; the one that was not read for the longest is dropped.
    """

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: OrderedDict[Hashable, tuple[Signature, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, files: Sequence[Path], compute: Callable[[], T]) -> T:
        """Return the result of ``compute`` for the present state of the files."""
        now = signature(files)
        with self._lock:
            found = self._entries.get(key)
            if found is not None and found[0] == now:
                self._entries.move_to_end(key)
                return found[1]
        # Outside the lock: two requests may compute the same, but none waits for another file.
        result = compute()
        with self._lock:
            self._entries[key] = (now, result)
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)
        return result


def signature(files: Sequence[Path]) -> Signature:
    """Return inode, size and time of change of files; None for a missing one."""
    return tuple(map(_stamp, files))


def database_files(folder: Path) -> list[Path]:
    """Return the files that change when something is written into the database of a run."""
    return [folder / "run.db", folder / "run.db-wal"]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
