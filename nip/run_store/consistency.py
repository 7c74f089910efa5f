"""Checks that the files in the folder of a run belong together."""

import json
import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from nip.errors import ResumeError
from nip.run_store.checkpoints.checkpoint import foreign_checkpoint, read_best, saved_iterations
from nip.run_store.database import LAST_CHECKPOINT_KEY, RunDatabase
from nip.run_store.database.history import RunHistory
from nip.run_store.database.origin import ENVIRONMENT_FILE, PARAMETERS_FILE, Origin
from nip.utils.files import read_text

DATABASE_FILE = "run.db"
RESULT_FILE = "result.json"
CHECKPOINTS = "checkpoints"
LOCK_NAME = ".lock"
"""Lock of a run, and of the folder of runs while one of them is opened."""

_OF_A_NEW_RUN = frozenset({PARAMETERS_FILE, ENVIRONMENT_FILE, "settings.yaml", DATABASE_FILE})


def check_consistency(folder: Path) -> None:
    """Raise ``ResumeError`` if files of a run are missing, or are of another run."""
    problem = database_problem(folder) or next(_other_problems(folder), None)
    if problem is not None:
        raise ResumeError(
            f"Run {folder.name!r} cannot be resumed: {problem} To start from the beginning, choose "
            "another run_id."
        )


def was_never_started(folder: Path) -> bool:
    """Return whether a run has no database because it was killed when its folder was made.

    Only earlier versions have made folders without a database.
    """
    if Origin.of_folder(folder).run_identity or _has_content(folder / DATABASE_FILE):
        return False
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    return names <= _OF_A_NEW_RUN


def database_problem(folder: Path) -> str | None:
    """Return what is wrong with the database of a run, as a sentence; None if nothing is."""
    path = folder / DATABASE_FILE
    if not _has_content(path):
        if was_never_started(folder):
            return None
        state = "empty" if path.exists() else "missing"
        return (
            f"{path} is {state}, although the run was started. Restore it from a copy: it held the "
            "metrics and the progress of the run."
        )
    with closing(RunDatabase(path, read_only=True)) as database:
        difference = Origin.of_folder(folder).difference(database.origin())
    if difference is None:
        return None
    return f"{path} is {difference}. Restore the files that belong together from a copy."


def _other_problems(folder: Path) -> Iterator[str]:
    checkpoints = folder / CHECKPOINTS
    if checkpoints.exists() and not checkpoints.is_dir():
        yield f"{checkpoints} is no folder, and checkpoints are stored there. Move it away."
    if not _has_content(folder / DATABASE_FILE):
        return
    origin = Origin.of_folder(folder)
    iterations = saved_iterations(checkpoints)
    for iteration in iterations:
        if reason := foreign_checkpoint(checkpoints, iteration, origin):
            yield f"{reason} Move it away."
    if iterations and origin.run_identity:
        with closing(RunDatabase(folder / DATABASE_FILE, read_only=True)) as database:
            last = int(database.get_state(LAST_CHECKPOINT_KEY, "-1"))
        if iterations[-1] > last:
            yield (
                f"{folder / DATABASE_FILE} is older than its checkpoint of iteration "
                f"{iterations[-1]}: it knows none after iteration {last}. Restore the newest copy, "
                "or move the newer checkpoints away."
            )
    read_best(checkpoints)
    if not _has_own_result(folder):
        yield (
            f"{folder / RESULT_FILE} has other metrics than {DATABASE_FILE}. Move away the one "
            "that is of another run."
        )


def result_metrics(history: RunHistory) -> dict[str, float | None]:
    """Return the metrics of ``result.json``: the last value of each, None if it is not finite.

    Strict JSON has no NaN and infinity, which parsers in other languages reject.
    """
    last = history.latest_all()
    return {name: value if math.isfinite(value) else None for name, value in last.items()}


def _has_own_result(folder: Path) -> bool:
    """Return whether ``result.json`` has the metrics of the database, or says nothing."""
    try:
        stored = json.loads(read_text(folder / RESULT_FILE))["metrics"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return True
    with closing(RunDatabase(folder / DATABASE_FILE, read_only=True)) as database:
        return bool(stored == result_metrics(database.load_history()))


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
