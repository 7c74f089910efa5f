"""The C++ compiler of this machine, and a name for what it makes of the sources."""

import hashlib
import os
import platform
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

SOURCES = Path(__file__).parent
MAIN_SOURCE = "kernels.cpp"
COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC")
"""Flags without ``-ffast-math``, which would lose NaN."""


class BuildError(Exception):
    """The kernels cannot be built here; the message says why."""


def find_compiler() -> list[str]:
    """Return the command of the C++ compiler: the variable ``CXX``, or the first that is installed.

    The variable may name a launcher first or options last, as in ``ccache g++ -m64``.
    """
    named = os.environ.get("CXX", "").strip()
    try:
        commands = [shlex.split(named)] if named else [[name] for name in COMPILERS]
    except ValueError:
        commands = []
    for program, *options in commands:
        if found := shutil.which(program):
            # Links are not followed: compilers and launchers read what to do from their names.
            return [str(Path(found).absolute()), *options]
    missing = f"{named}, which CXX names," if named else "C++ compiler"
    raise BuildError(f"no {missing} was found")


def content_key(compiler: Sequence[str]) -> str:
    """Return a name for what a compiler makes of the sources on this processor."""
    parts = [*compiler, *_versions(compiler), *FLAGS, _processor()]
    digest = hashlib.sha256("\0".join(parts).encode(errors="surrogateescape"))
    for source in [*sorted(SOURCES.glob("*.h")), SOURCES / MAIN_SOURCE]:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]


def _versions(compiler: Sequence[str]) -> list[str]:
    """Describe the programs that a command names: a compiler, and a launcher before it."""
    found = [Path(path).resolve() for word in compiler if (path := shutil.which(word))]
    return [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in found]


def _processor() -> str:
    """Describe the processor, whose instructions the compiler uses."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))
