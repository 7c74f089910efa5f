"""An exclusive lock on a file, which names its holder and ends with the process."""

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock


class FileLock:
    """An exclusive lock on a file, held until ``release`` or the end of the process.

    The operating system releases the lock when the process ends, even after SIGKILL, and forked
    workers do not keep it, so a killed run leaves no stale lock. The lock also excludes a second
    user in the same process. The file names its holder, for error messages. It is created if
    missing and never deleted: deleting it allows two processes to hold locks on two files of the
    same name. Whoever may write to the folder may take the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: BaseFileLock | None = None

    def acquire(self, wait: bool) -> bool:
        """Take the lock; return whether this object holds it now.

        If it is taken, wait until it is free, or return False.
        """
        if not self._take(wait):
            return False
        self._name_holder()
        return True

    def is_taken(self) -> bool:
        """Return whether the lock is held, by this process or another one."""
        if self._lock is not None or not self._take(wait=False):
            return True
        self.release()
        return False

    def _take(self, wait: bool) -> bool:
        # Imported here because it takes 0.1 s of CPU time, which --help should not spend.
        import filelock

        lock = filelock.FileLock(
            self.path,
            # A run may be closed by another thread than the one that opened it.
            thread_local=False,
            mode=_mode_beside(self.path),
            # A lock that is only the existence of a file would survive a killed process.
            fallback_to_soft=False,
        )
        try:
            lock.acquire(blocking=wait)
        except filelock.Timeout:
            return False
        self._lock = lock
        return True

    def _name_holder(self) -> None:
        # Not created here: in folders such as /tmp, only the owner of a file may open it to create.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_TRUNC)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"process {os.getpid()} on {socket.gethostname()}")

    def holder(self) -> str:
        """Describe the process that took the lock last."""
        return self.path.read_text(encoding="utf-8") or "another process"

    def release(self) -> None:
        """Release the lock; without effect if it is not held."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _mode_beside(path: Path) -> int:
    """Return the permissions of a new file which those who may write to its folder may write."""
    return 0o600 | (path.parent.stat().st_mode & 0o066)
