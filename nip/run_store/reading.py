"""Looking at runs without opening them for writing, also while they are running."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nip.errors import ParameterError
from nip.run_store.database import RunDatabase
from nip.run_store.history import RunHistory
from nip.run_store.run_id import describe_existing, is_run_folder


def read_history(folder: Path) -> RunHistory:
    """Read the metrics of a run; one that is running may write on meanwhile.

    Parameters
    ----------
    folder
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


@contextmanager
def open_database(folder: Path) -> Iterator[RunDatabase]:
    """Open the database of a run for reading; one that is running may write on meanwhile.

    Parameters
    ----------
    folder
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
