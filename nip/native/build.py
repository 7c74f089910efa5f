"""Compiling the kernels on first use, into a cache of the user."""

import ctypes
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nip.native.compiler import (
    FLAGS,
    MAIN_SOURCE,
    SOURCES,
    BuildError,
    content_key,
    find_compiler,
)
from nip.utils.file_lock import FileLock
from nip.utils.files import flush_to_disk

TIMEOUT_S = 300
"""Seconds after which a compiler is given up."""


def load_kernels() -> ctypes.CDLL:
    """Return the compiled kernels; compile them if no process has done so before.

    Raises
    ------
    BuildError
        If there is no compiler, or it fails, or there is no folder to write to.
    """
    compiler = find_compiler()
    try:
        library = cache_folder() / f"{content_key(compiler)}.so"
        if not library.exists():
            _compile_once(compiler, library)
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise BuildError(f"the compiled file cannot be written or loaded ({error})") from error


def cache_folder() -> Path:
    """Return the folder of compiled files, which nobody else can write to; create it if missing."""
    if not hasattr(os, "getuid"):
        raise BuildError("there are kernels on Linux and macOS only")
    folder = _user_cache() / "nip" / "kernels"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.getuid():
        raise BuildError(f"{folder} belongs to another user")
    if status.st_mode & 0o022:
        raise BuildError(f"{folder} can be written by others")
    return folder


def _user_cache() -> Path:
    """Return the folder of the user's caches, as the XDG Base Directory Specification defines it.

    It says that relative values of the variable are ignored.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():
        return named
    try:
        return Path.home() / ".cache"
    except RuntimeError as error:
        raise BuildError("this user has no home folder; set XDG_CACHE_HOME") from error


def _compile_once(compiler: Sequence[str], library: Path) -> None:
    """Compile; of several processes, one does so and the others wait for it."""
    lock = FileLock(library.with_suffix(".lock"))
    lock.acquire(wait=True)
    try:
        if not library.exists():
            _compile(compiler, library)
    finally:
        # Also those of processes that were killed: nobody else compiles now.
        for unfinished in library.parent.glob(f"{library.stem}.*.tmp"):
            unfinished.unlink(missing_ok=True)
        lock.release()


def _compile(compiler: Sequence[str], library: Path) -> None:
    unfinished = library.with_suffix(f".{os.getpid()}.tmp")
    command = [*compiler, *FLAGS, MAIN_SOURCE, "-o", str(unfinished)]
    try:
        ended = subprocess.run(
            command,
            cwd=SOURCES,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{compiler[0]} took more than {TIMEOUT_S} s") from error
    if ended.returncode != 0:
        first = (ended.stderr.strip().splitlines() or ["no message"])[0]
        raise BuildError(f"{compiler[0]} failed: {first}")
    # A power failure must not leave an empty file under the final name.
    flush_to_disk(unfinished)
    unfinished.replace(library)
