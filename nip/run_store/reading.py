"""Looking at runs without opening them for writing, also while they are running."""

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
    if not is_run_folder(folder):
        raise ParameterError(
            f"There is no run in {folder}. {describe_existing(folder.name, folder.parent)}"
        )
    path = folder / "run.db"
    if not path.exists():
        return RunHistory()
    database = RunDatabase(path, read_only=True)
    try:
        return database.load_history()
    finally:
        database.close()
