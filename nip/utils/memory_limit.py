"""Memory that this process can use at most, and what is known to need more than that."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


@dataclass(frozen=True)
class MemoryNeed:
    """A part of an experiment whose size follows from its options before it is built."""

    what: str
    """The part, in the singular, to complete ``<what> takes at least 4 TB``."""

    options: Mapping[str, Any]
    """The options that its size follows from, with their values."""

    num_bytes: int
    """Bytes that it takes at least, so that nothing is refused that would have fitted."""

    on_device: bool = False
    """Whether it lies in the memory of the device of the tensors."""


def problem_with_memory(needs: Iterable[MemoryNeed], limit: int) -> str | None:
    """Return the message about needs that exceed a limit together; None if they fit."""
    largest = sorted(needs, key=lambda need: -need.num_bytes)
    if sum(need.num_bytes for need in largest) <= limit:
        return None
    # The parts that matter: those without which the others would fit.
    total, named = 0, []
    for need in largest:
        if total > limit:
            break
        total += need.num_bytes
        named.append(need)
    parts = "; ".join(
        f"{need.what} takes at least {_in_words(need.num_bytes)} with "
        f"{' and '.join(f'{name}={value!r}' for name, value in need.options.items())}"
        for need in named
    )
    return (
        f"There is not enough memory: {parts}. At most {_in_words(limit)} can be used here. Lower "
        "these options, or choose a machine with more memory."
    )


def _in_words(num_bytes: int) -> str:
    """Return a number of bytes in the largest unit that fits."""
    power = min((len(str(num_bytes)) - 1) // 3, len(_UNITS) - 1)
    return f"{num_bytes / 1000**power:.4g} {_UNITS[power]}"


def memory_limit(root: Path = Path("/")) -> int:
    """Return the most bytes that this process could ever use.

    This is the memory of the machine with its swap space, whether in use at the moment or not, or
    less if a control group (of a container or a cluster's job) or a resource limit allows less.
    Where none of them can be read, it is the largest integer, so that nothing exceeds it.

    Parameters
    ----------
    root : Path
        Root of the file system with ``proc`` and ``sys``.
    """
    swap = _swap_bytes(root)
    machine = _machine_bytes()
    groups = [limit + swap for limit in _group_limits(root)]
    return min([machine + swap, *groups, *_resource_limits()])


def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf.
        return sys.maxsize


def _swap_bytes(root: Path) -> int:
    """Return the size of the swap space; 0 where it is not known."""
    for line in _lines(root / "proc" / "meminfo"):
        name, _, value = line.partition(":")
        if name == "SwapTotal":
            return int(value.split()[0]) * 1024
    return 0


def _group_limits(root: Path) -> Iterator[int]:
    """Yield the limits of the control groups, of either version, that this process is in."""
    mount = root / "sys" / "fs" / "cgroup"
    for line in _lines(root / "proc" / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        base, name = mount, "memory.max"
        if controllers:
            base, name = mount / "memory", "memory.limit_in_bytes"
        if controllers and "memory" not in controllers.split(","):
            continue
        here = base / path.lstrip("/")
        # In a container the path may be that outside of it, and the limit in the mounted root.
        for folder in (here, *here.parents):
            if folder.is_relative_to(base):
                yield from (int(line) for line in _lines(folder / name) if line.isdecimal())


def _resource_limits() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # Windows has none.
        return
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield limit


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
