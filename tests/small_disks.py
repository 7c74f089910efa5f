"""File systems so small that they become full."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, num_kib: int) -> Iterator[tuple[Path, Callable[[int], object]]]:
    """Mount a small file system in memory; skip the test if this process may not.

    Yields its folder, and a function that changes its size.
    """

    def mount(num_kib: int, option: str = "rw") -> bool:
        options = f"{option},size={num_kib}k,mode=755"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        try:
            return subprocess.run(command, capture_output=True).returncode == 0
        except OSError:
            return False

    folder.mkdir()
    if not mount(num_kib):
        pytest.skip("only root can mount a file system")
    try:
        yield folder, lambda size: mount(size, "remount") or pytest.fail("cannot remount")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
