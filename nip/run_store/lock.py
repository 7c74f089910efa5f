"""One writer per run: a lock that ends with the process that holds it."""

import fcntl
import os
import socket
import weakref
from io import TextIOWrapper
from pathlib import Path


class FileLock:
    """An exclusive lock on a file, held until ``release`` or the end of the process.

    The operating system drops it however the process ends, so a killed run leaves nothing to
    clear up. The file names its holder, for error messages. It also excludes a second use within
    the same process.

    Parameters
    ----------
    path : Path
        The lock file. It is made when it is missing and never deleted: deleting a lock file lets
        two processes hold locks on two files of the same name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIOWrapper | None = None

    def acquire(self, wait: bool) -> bool:
        """Take the lock; return whether that worked.

        Parameters
        ----------
        wait : bool
            Wait for the present holder, instead of returning False at once.
        """
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.close()
            return False
        except BaseException:
            file.close()
            raise
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        self._file = file
        _held_locks.add(self)
        return True

    def holder(self) -> str:
        """Describe the process that took the lock last."""
        return self.path.read_text(encoding="utf-8") or "another process"

    def release(self) -> None:
        """Give the lock back; without effect when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None
        _held_locks.discard(self)


_held_locks: "weakref.WeakSet[FileLock]" = weakref.WeakSet()


def _drop_inherited_locks() -> None:
    """Close the copies that a forked child gets: a worker may outlive its run, and hold it."""
    for lock in list(_held_locks):
        lock.release()


os.register_at_fork(after_in_child=_drop_inherited_locks)
