"""Logged metrics by iteration, and the folder that a callback writes to."""

from pathlib import Path

from nip.errors import warn_user
from nip.run_store import RunHistory
from nip.trainers.core.context import TrainingContext


def logged_rows(history: RunHistory) -> list[tuple[int, dict[str, float]]]:
    """Return each iteration with its metrics by name, in the order of iterations."""
    rows: dict[int, dict[str, float]] = {}
    for name in history.names():
        for iteration, value in history.values(name):
            rows.setdefault(iteration, {})[name] = value
    return [(iteration, rows[iteration]) for iteration in sorted(rows)]


def run_folder(context: TrainingContext, callback: str) -> Path | None:
    """Return the folder that a callback writes to; warn if the trainer has no run."""
    if context.folder is None:
        warn_user(
            f"The callback {callback!r} writes nothing, because this trainer was built without a "
            "run. Train with run_experiment, or give the trainer a run."
        )
    return context.folder
