"""Atomic and durable writing of files, and reading of files that others may have written."""

import errno
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from nip.errors import StorageError

_MAX_SIMULTANEOUS_FLUSHES = 16

FREE_SPACE = "Free some space on its disk"
CHECK_DISK = "Check its disk, and the space left on it"
CHECK_PERMISSIONS = "Check that you may write there"

_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), FREE_SPACE),
    **dict.fromkeys((errno.EIO, errno.ENXIO, errno.ESTALE), CHECK_DISK),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), CHECK_PERMISSIONS),
}
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

TEMPORARY_SUFFIX = ".tmp"
"""Suffix of the hidden temporary files that a killed ``write_atomically`` leaves behind."""


def kind_of_special_file(path: Path | str) -> str | None:
    """Return what is at a path if it is neither a file nor a folder, such as ``"a named pipe"``.

    Links are followed.
    """
    try:
        kind = stat.S_IFMT(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return None
    return None if kind in (stat.S_IFREG, stat.S_IFDIR) else _KINDS.get(kind, "a special file")


def regular(path: Path | str) -> Path:
    """Return a path whose content is about to be read; raise ``OSError`` for a special file.

    Reading a named pipe would wait for a writer forever, and a device such as ``/dev/zero`` never
    ends.
    """
    if (kind := kind_of_special_file(path)) is not None:
        raise OSError(errno.EINVAL, f"it is {kind}, not a regular file", str(path))
    return Path(path)


def write_atomically(path: Path | str, content: bytes | str) -> None:
    """Replace a file atomically: it always has either the old content or the new.

    The content (text as UTF-8) is written to a hidden file in the same folder, flushed to disk and
    renamed. If the folder is missing, ``OSError`` is raised and the old file unchanged.
    ``StorageError`` is raised if the disk is full or fails, if this user may not write there, and
    if there is anything else than a regular file: a symbolic link is neither followed nor replaced.
    """
    with open_atomically(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def open_atomically(path: Path | str) -> Iterator[BinaryIO]:
    """Open a file for atomic replacement; see ``write_atomically``.

    The new content replaces the file when the block ends, and is discarded if the block raises.
    """
    path = Path(path)
    _check_replaceable(path)
    # Two concurrent writers of one file must not write to the same temporary file.
    temporary = path.with_name(
        f".{path.name}.{os.getpid()}-{threading.get_ident()}{TEMPORARY_SUFFIX}"
    )
    with storage_errors(path):
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            if isinstance(error, OSError) and str(error.filename) == str(temporary):
                # A name that the user knows.
                error.filename = str(path)
            raise
        flush_to_disk(path.parent)


def _check_replaceable(path: Path) -> None:
    """Raise ``StorageError`` if there is something else than a regular file."""
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    if kind != stat.S_IFREG:
        raise StorageError(
            f"{path} is {_KINDS.get(kind, 'not a regular file')}, and only a regular file is "
            "replaced. Choose another name, or move what is there."
        )


@contextmanager
def storage_errors(path: Path | str) -> Iterator[None]:
    """Raise ``StorageError``, with a remedy, if files cannot be written in a ``with`` block.

    Parameters
    ----------
    path : Path or str
        What is being written, for the message.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError) or error.errno not in _REMEDIES:
            raise
        remedy = _REMEDIES[error.errno]
        raise storage_error(path, error.strerror or str(error), remedy) from error


def make_folder(path: Path | str) -> None:
    """Make a folder, and those above it, unless it exists.

    ``StorageError`` is raised as in ``storage_errors``, and if there is a file in its place.
    """
    path = Path(path)
    with storage_errors(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            first = next(each for each in (path, *path.parents) if os.path.lexists(each))
            raise StorageError(
                f"The folder {path} cannot be made, because {first} is no folder. Move it away, or "
                "choose another place."
            ) from error


def storage_error(path: Path | str, problem: str, remedy: str) -> StorageError:
    """Return the error for a file that its disk does not store."""
    return StorageError(
        f"{path} cannot be accessed: {problem}. {remedy}, then start again; a run resumes from "
        "what is stored."
    )


def read_text(path: Path) -> str:
    """Read a text file (UTF-8) of a folder that may be somebody else's, without ever waiting.

    ``FileNotFoundError`` or ``NotADirectoryError`` is raised if it is missing, and ``StorageError``
    if it cannot be read: for something else than a regular file, such as a named pipe, and for
    other bytes than UTF-8.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
        if kind == stat.S_IFREG:
            return path.read_text(encoding="utf-8")
        problem = f"it is {_KINDS.get(kind, 'not a regular file')}"
    except (FileNotFoundError, NotADirectoryError):
        raise
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    except OSError as error:
        problem = error.strerror or str(error)
    raise StorageError(f"{path} cannot be read: {problem}. Restore it from a copy.")


def with_home(path: Path | str) -> Path:
    """Return a path with the home folder for ``~``; as it is if that folder is not known."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


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
