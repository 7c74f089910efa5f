"""Writing files so that a reader, or a crash, never meets half of one."""

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_MAX_SIMULTANEOUS_FLUSHES = 16

TEMPORARY_SUFFIX = ".tmp"
"""Ending of the hidden files that ``write_atomically`` leaves behind when it is killed."""


def write_atomically(path: Path | str, content: bytes | str) -> None:
    """Replace a file in one step: afterwards it holds the old content or the new, never a part.

    The content goes to a hidden file beside the target, is flushed to the disk and renamed.

    Parameters
    ----------
    path : Path | str
        The file to write. Its folder must exist.
    content : bytes | str
        The whole content; text is written as UTF-8.

    Raises
    ------
    OSError
        If the folder is missing or cannot be written; the old file is untouched then.
    """
    with open_atomically(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def open_atomically(path: Path | str) -> Iterator[BinaryIO]:
    """Replace a file as ``write_atomically`` does, but piece by piece.

    What is written takes the file's place when the block ends, and never if it raises.

    Raises
    ------
    OSError
        As ``write_atomically``.
    """
    path = Path(path)
    # Process and thread in the name keep two writers of one file from mixing their bytes.
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
    """Force a finished file, or the list of names in a folder, onto the disk.

    A rename survives a power cut only once the folder that holds the name has been flushed too.
    """
    path = Path(path)
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders; it journals renames by itself.
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_all_to_disk(paths: Iterable[Path]) -> None:
    """Force several finished files onto the disk, at the same time.

    Each flush is mostly waiting, and file systems serve many at once in the time of one.
    """
    with ThreadPoolExecutor(max_workers=_MAX_SIMULTANEOUS_FLUSHES) as pool:
        list(pool.map(flush_to_disk, paths))


def remove_temporary_files(folder: Path | str) -> None:
    """Delete what killed calls of ``write_atomically`` left in a folder and in those below it.

    Only for a folder that no other process writes to at the moment.
    """
    for leftover in Path(folder).rglob(f".*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)
