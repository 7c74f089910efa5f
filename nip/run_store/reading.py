"""Looking at runs without opening them for writing, also while they are running."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nip.errors import ParameterError
from nip.parameters.yaml_text import load_mapping
from nip.run_store.database import STATE_PREFIX, RunDatabase
from nip.run_store.database.history import RunHistory
from nip.run_store.run_id import describe_existing, is_run_folder


def read_history(folder: Path) -> RunHistory:
    """Read the metrics of a run; one that is running may write on meanwhile.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Raises
    ------
    ParameterError
        If there is no run in the folder; the message lists those beside it.
    """
    _check_is_run(folder)
    if not (folder / "run.db").exists():
        return RunHistory()
    with open_database(folder) as database:
        return database.load_history()


def read_parameters(folder: Path) -> dict[str, Any]:
    """Read the tree of parameters of a run as it was stored, with the version that wrote it.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Raises
    ------
    ParameterError
        If there is no run in the folder (the message lists those beside it), or its parameters
        cannot be read.
    """
    _check_is_run(folder)
    return load_mapping((folder / "hyper_params.yaml").read_text(encoding="utf-8"))


def read_settings(folder: Path) -> dict[str, Any]:
    """Read how and where a run was started last, as plain data.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Raises
    ------
    ParameterError
        If there is no run in the folder; the message lists those beside it.
    """
    _check_is_run(folder)
    return load_mapping((folder / "settings.yaml").read_text(encoding="utf-8"))


def read_state(folder: Path, key: str) -> Any:
    """Read what a run has stored with ``Run.set_state``; None if it has stored nothing.

    Parameters
    ----------
    folder : Path
        Folder of the run; another process may be writing it.
    key : str
        As it was given to ``set_state``.

    Raises
    ------
    ParameterError
        If there is no run in the folder (the message lists those beside it), or none that was ever
        started.
    """
    with open_database(folder) as database:
        stored = database.get_state(f"{STATE_PREFIX}{key}", "")
    return json.loads(stored) if stored else None


@contextmanager
def open_database(folder: Path) -> Iterator[RunDatabase]:
    """Open the database of a run for reading; one that is running may write on meanwhile.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Raises
    ------
    ParameterError
        If there is no run in the folder (the message lists those beside it), or none that was ever
        started.
    """
    _check_is_run(folder)
    path = folder / "run.db"
    if not path.exists():
        raise ParameterError(
            f"The run in {folder} was never started, so it has no run.db. Start it first."
        )
    database = RunDatabase(path, read_only=True)
    try:
        yield database
    finally:
        database.close()


def _check_is_run(folder: Path) -> None:
    if not is_run_folder(folder):
        raise ParameterError(
            f"There is no run in {folder}. {describe_existing(folder.name, folder.parent)}"
        )
