"""Experiments with the mock API and faults in this process, and their results."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nip.language_models.server.state import EndpointState
from nip.language_models.server.tables import Counters
from nip.parameters import HyperParameters
from nip.run import run_experiment
from tests.text_experiments import make_text_params, text_settings

NUM_TRAIN = 2 * 12
"""Rollouts to learn from in the two iterations."""

Record = dict[str, Any]


def rehearse(
    runs_dir: Path, *faults: str, settings: dict[str, Any] | None = None, **changes: Any
) -> dict[str, float]:
    """Run or resume the small experiment; return its last metrics.

    Parameters
    ----------
    runs_dir
        Folder of its run, which is named ``run``.
    *faults
        What the endpoint shows; of a name alone, a fifth of all requests meet it.
    settings
        Single settings.
    **changes
        Other hyper-parameters.
    """
    rehearsal = {"faults": faults, **changes.pop("rehearsal", {})}
    params = make_text_params(rehearsal=rehearsal, **changes)
    return run_quietly(params, runs_dir, **(settings or {}))


def run_quietly(params: HyperParameters, runs_dir: Path, **settings: Any) -> dict[str, float]:
    """Run an experiment without drawing a picture of it, which other tests do."""
    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        run_experiment(params, run_id="run", settings=text_settings(runs_dir, **settings))
    metrics: dict[str, float] = result_of(runs_dir)["metrics"]
    return metrics


def records(runs_dir: Path, phase: str = "train") -> list[Record]:
    """Return the stored rollouts, in order."""
    return [json.loads(row[0]) for row in _select(runs_dir, _RECORDS, phase)]


def job_states(runs_dir: Path) -> list[tuple[str, int, str]]:
    """Return group, attempt and state of all fine-tuning jobs, in order."""
    return _select(runs_dir, _JOBS)


def result_of(runs_dir: Path) -> dict[str, Any]:
    """Return how the run ended."""
    result: dict[str, Any] = json.loads((runs_dir / "run" / "result.json").read_text())
    return result


def books_of_the_endpoint(runs_dir: Path) -> Counters:
    """Return the counters of the mock API."""
    state = EndpointState(str(runs_dir / "run" / "endpoint.db"))
    try:
        return state.counters.read(len(state.jobs))
    finally:
        state.close()


def share(holds: Sequence[bool]) -> float:
    """Return the share of what holds."""
    return sum(holds) / len(holds)


_RECORDS = "SELECT record FROM rollouts WHERE phase = ? ORDER BY iteration, position"
_JOBS = "SELECT model_group, attempt, status FROM fine_tuning_jobs ORDER BY model_group, attempt"


def _select(runs_dir: Path, query: str, *values: str) -> list[Any]:
    database = sqlite3.connect(runs_dir / "run" / "run.db")
    try:
        return database.execute(query, values).fetchall()
    finally:
        database.close()
