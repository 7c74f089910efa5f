"""Read access to runs, which may be running in another process."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nip.errors import ParameterError, StorageError
from nip.parameters.tree.yaml_text import load_mapping
from nip.run_store.consistency import (
    DATABASE_FILE,
    LOCK_NAME,
    database_problem,
    was_never_started,
)
from nip.run_store.database import STATE_PREFIX, RunDatabase
from nip.run_store.database.history import RunHistory
from nip.run_store.database.origin import PARAMETERS_FILE
from nip.run_store.run_id import describe_existing, is_run_folder
from nip.utils.file_lock import FileLock
from nip.utils.files import read_text


def read_history(folder: Path | str) -> RunHistory:
    """Read the metrics of a run, which may be running.

    Parameters
    ----------
    folder : Path or str
        Folder of the run.

    Raises
    ------
    ParameterError
        If the folder is not a run.
    """
    folder = _check_is_run(folder)
    if was_never_started(folder):
        return RunHistory()
    with open_database(folder) as database:
        return database.load_history()


def read_parameters(folder: Path | str) -> dict[str, Any]:
    """Read the stored parameters of a run, without migration.

    Raises ``ParameterError`` if the folder is not a run, or if its parameters cannot be read or are
    not those with which it was run.
    """
    folder = _check_is_run(folder)
    if (folder / DATABASE_FILE).exists():
        with suppress(StorageError):  # The parameters can be read although the database cannot.
            _check_database(folder)
    path = folder / PARAMETERS_FILE
    return load_mapping(read_text(path), path)


def read_settings(folder: Path | str) -> dict[str, Any]:
    """Read the settings of the last start of a run, as plain data.

    They are empty if their file is missing. Raises ``ParameterError`` if the folder is not a run.
    """
    path = _check_is_run(folder) / "settings.yaml"
    return load_mapping(read_text(path), path) if os.path.lexists(path) else {}


def read_state(folder: Path | str, key: str) -> Any:
    """Read a value stored with ``Run.set_state``; None if the key is missing.

    Parameters
    ----------
    folder : Path or str
        Folder of the run.
    key : str
        Key given to ``set_state``.

    Raises
    ------
    ParameterError
        If the folder is not a run, the run was never started, or its files do not belong together.
    """
    with open_database(folder) as database:
        stored = database.get_state(f"{STATE_PREFIX}{key}", "")
    return json.loads(stored) if stored else None


def is_run_in_use(folder: Path) -> bool:
    """Return whether a process has a run open for writing."""
    lock = FileLock(folder / LOCK_NAME)
    if not lock.path.exists():
        return False
    # No run is opened meanwhile: it would find its lock taken by this check.
    opening = FileLock(folder.parent / LOCK_NAME)
    opening.acquire(wait=True)
    try:
        return lock.is_taken()
    finally:
        opening.release()


@contextmanager
def open_database(folder: Path | str) -> Iterator[RunDatabase]:
    """Open the database of a run for reading, while the run may be running.

    Parameters
    ----------
    folder : Path or str
        Folder of the run.

    Raises
    ------
    ParameterError
        If the folder is not a run, or the run was never started.
    """
    folder = _check_is_run(folder)
    if was_never_started(folder):
        raise ParameterError(
            f"The run in {folder} was never started, so it has no {DATABASE_FILE}. Start it first."
        )
    _check_database(folder)
    database = RunDatabase(folder / DATABASE_FILE, read_only=True)
    try:
        yield database
    finally:
        database.close()


def _check_database(folder: Path) -> None:
    """Raise ``ParameterError`` if database and parameters do not belong together."""
    if problem := database_problem(folder):
        raise ParameterError(f"The run in {folder} cannot be read: {problem}")


def _check_is_run(folder: Path | str) -> Path:
    """Return the folder; raise ``ParameterError`` if it is not a run."""
    folder = Path(folder)
    if not is_run_folder(folder):
        raise ParameterError(
            f"There is no run in {folder}. {describe_existing(folder.name, folder.parent)}"
        )
    return folder
