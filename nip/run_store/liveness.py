"""``is_open``: whether a process has a run open for writing, found without taking its lock."""

import os
import socket
from pathlib import Path

from nip.run_store.consistency import LOCK_NAME

_LOCKS = Path("/proc/locks")
_INODE_FIELD = -3


def is_open(folder: Path | str) -> bool | None:
    """Return whether a process has a run open for writing; None if that is unknown.

    The lock itself is not tried, because a reader that holds it for a moment could refuse a process
    that starts the run in that moment. It is unknown on systems without ``/proc/locks``, and for a
    process on another machine.

    Parameters
    ----------
    folder : Path or str
        Folder of the run.
    """
    lock = Path(folder) / LOCK_NAME
    try:
        inode = lock.stat().st_ino
    except OSError:
        return False
    try:
        held = {_inode(line) for line in _LOCKS.read_text(encoding="ascii").splitlines()}
    except OSError:
        return None
    if inode in held:
        return True
    return None if _was_held_elsewhere(lock) else False


def _inode(line: str) -> int | None:
    """Return the inode in a line such as ``1: FLOCK ADVISORY WRITE 81 00:2d:5021 0 EOF``."""
    fields = line.split()
    try:
        return int(fields[_INODE_FIELD].rpartition(":")[2])
    except (IndexError, ValueError):
        return None


def _was_held_elsewhere(lock: Path) -> bool:
    """Return whether the last holder was on another machine, whose locks are not listed here."""
    try:
        with lock.open("rb") as file:
            holder = file.read(500).decode("utf-8", "replace")
    except OSError:
        return False
    return bool(holder) and not holder.endswith(f" on {socket.gethostname()}")


def last_written(folder: Path | str) -> float | None:
    """Return when the database of a run was last written, in seconds since 1970.

    None without a database.
    """
    times = []
    for name in ("run.db", "run.db-wal"):
        try:
            times.append(os.stat(Path(folder) / name).st_mtime)  # noqa: PTH116
        except OSError:
            continue
    return max(times, default=None)
