"""State of a cell as its run folder has it."""

import json
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nip.run_store.consistency import DATABASE_FILE, RESULT_FILE
from nip.run_store.database import RunDatabase
from nip.run_store.reading import is_run_in_use
from nip.run_store.run_id import is_run_folder
from nip.utils.files import read_text

StoredStatus = Literal["new", "interrupted", "in use", "completed", "failed"]


@dataclass(frozen=True)
class CellState:
    """What a run folder says."""

    status: StoredStatus
    """Whether the run exists, and how it ended."""

    metrics: dict[str, float] = field(default_factory=dict)
    """The last value of each metric, if the run has ended."""

    cost: float = 0.0
    """Dollars that it has spent, if it has ended."""

    error: str | None = None
    """The error that ended it."""


def read_state_of_cell(folder: Path) -> CellState:
    """Read the state of a run, which another process may be writing."""
    if not is_run_folder(folder):
        return CellState("new")
    with closing(RunDatabase(folder / DATABASE_FILE, read_only=True)) as database:
        status = database.get_state("status", "running")
    if status == "completed":
        return _with_result(folder, "completed")
    if is_run_in_use(folder):
        return CellState("in use")
    return _with_result(folder, "failed") if status == "failed" else CellState("interrupted")


def iteration_of_cell(folder: Path) -> int | None:
    """Return the last iteration whose metrics are stored; None if there is none."""
    if not (folder / DATABASE_FILE).is_file():
        return None
    # Not the whole history, which is long and read again and again while the run is going on.
    with (
        closing(RunDatabase(folder / DATABASE_FILE, read_only=True)) as database,
        database.transaction.reading() as connection,
    ):
        (last,) = connection.execute("SELECT max(iteration) FROM metrics").fetchone()
    return None if last is None else int(last)


def _with_result(folder: Path, status: StoredStatus) -> CellState:
    try:
        result = json.loads(read_text(folder / RESULT_FILE))
        metrics = {name: value for name, value in result["metrics"].items() if value is not None}
        return CellState(status, metrics, float(result.get("cost", 0.0)), result.get("error"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return CellState(status)  # Deleted or damaged; the database says how the run ended.
