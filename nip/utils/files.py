"""Atomic and durable writing of files."""

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_MAX_SIMULTANEOUS_FLUSHES = 16

TEMPORARY_SUFFIX = ".tmp"
"""Suffix of the hidden temporary files that a killed ``write_atomically`` leaves behind."""


def write_atomically(path: Path | str, content: bytes | str) -> None:
    """Replace a file atomically: it always has either the old content or the new.

    The content (text as UTF-8) is written to a hidden file in the same folder, flushed to disk and
    renamed. If the folder is missing or not writable, ``OSError`` is raised and the old file
    unchanged.
    """
    with open_atomically(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def open_atomically(path: Path | str) -> Iterator[BinaryIO]:
    """Open a file for atomic replacement; see ``write_atomically``.

    The new content replaces the file when the block ends, and is discarded if the block raises.
    """
    path = Path(path)
    # Two concurrent writers of one file must not write to the same temporary file.
    temporary = path.with_name(
        f".{path.name}.{os.getpid()}-{threading.get_ident()}{TEMPORARY_SUFFIX}"
    )
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_to_disk(path.parent)


def flush_to_disk(path: Path | str) -> None:
    """Flush a file, or the directory entries of a folder, to disk.

    A rename survives a power failure only after the folder has been flushed.
    """
    path = Path(path)
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders, and journals renames itself.
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_all_to_disk(paths: Iterable[Path]) -> None:
    """Flush several files concurrently, which takes about the time of one on most file systems."""
    with ThreadPoolExecutor(max_workers=_MAX_SIMULTANEOUS_FLUSHES) as pool:
        list(pool.map(flush_to_disk, paths))


def remove_temporary_files(folder: Path | str) -> None:
    """Delete temporary files of killed ``write_atomically`` calls, recursively.

    No other process may be writing to the folder.
    """
    for leftover in Path(folder).rglob(f".*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)
