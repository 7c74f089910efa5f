"""Compiling the kernels on first use, into a cache of the user."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path

from nip.utils.file_lock import FileLock

SOURCES = Path(__file__).parent
MAIN_SOURCE = "kernels.cpp"
COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC")
"""Flags without ``-ffast-math``, which would lose NaN."""

TIMEOUT_S = 300
"""Seconds after which a compiler is given up."""


class BuildError(Exception):
    """The kernels cannot be built here; the message says why."""


def load_kernels() -> ctypes.CDLL:
    """Return the compiled kernels; compile them if no process has done so before.

    Raises
    ------
    BuildError
        If there is no compiler, or it fails, or there is no folder to write to.
    """
    compiler = find_compiler()
    try:
        folder = cache_folder()
        library = folder / f"{content_key(compiler)}.so"
        if not library.exists():
            _compile_once(compiler, library)
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise BuildError(f"the compiled file cannot be written or loaded ({error})") from error


def find_compiler() -> Path:
    """Return the C++ compiler: that of the variable ``CXX``, or the first that is installed."""
    named = os.environ.get("CXX")
    for name in (named,) if named else COMPILERS:
        if found := shutil.which(name):
            return Path(found).resolve()
    missing = f"{named}, which CXX names," if named else "C++ compiler"
    raise BuildError(f"no {missing} was found")


def cache_folder() -> Path:
    """Return the folder of compiled files, which nobody else can write to; create it if missing."""
    if not hasattr(os, "getuid"):
        raise BuildError("there are kernels on Linux and macOS only")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "nip" / "kernels"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise BuildError(f"{folder} can be written by others")
    return folder


def content_key(compiler: Path) -> str:
    """Return a name for what the compiler makes of the sources on this processor."""
    version = compiler.stat()
    parts = [str(compiler), str(version.st_size), str(version.st_mtime_ns), *FLAGS, _processor()]
    digest = hashlib.sha256("\0".join(parts).encode())
    for source in [*sorted(SOURCES.glob("*.h")), SOURCES / MAIN_SOURCE]:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]


def _processor() -> str:
    """Describe the processor, whose instructions the compiler uses."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))


def _compile_once(compiler: Path, library: Path) -> None:
    """Compile; of several processes, one does so and the others wait for it."""
    lock = FileLock(library.with_suffix(".lock"))
    lock.acquire(wait=True)
    try:
        if library.exists():
            return
        unfinished = library.with_suffix(f".{os.getpid()}.tmp")
        command = [str(compiler), *FLAGS, MAIN_SOURCE, "-o", str(unfinished)]
        try:
            ended = subprocess.run(
                command, cwd=SOURCES, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"{compiler} took more than {TIMEOUT_S} s") from error
        if ended.returncode != 0:
            first = (ended.stderr.strip().splitlines() or ["no message"])[0]
            raise BuildError(f"{compiler} failed: {first}")
        unfinished.replace(library)
    finally:
        lock.release()
