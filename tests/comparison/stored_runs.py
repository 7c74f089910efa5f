"""Runs that tests write by hand, with known parameters, metrics and dialogues."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run

METRIC = "test_mean_accuracy"


def write_run(
    folder: Path,
    run_id: str,
    parameters: Mapping[str, Any],
    metrics: Mapping[int, Mapping[str, float]],
    status: str = "completed",
    digests: Mapping[str, str] | None = None,
    dialogues: Mapping[int, Mapping[str, Sequence[bool]]] | None = None,
) -> Path:
    """Write a run.

    ``dialogues`` has, for each iteration and question, whether each verdict was right; None for a
    failed dialogue.
    """
    with (
        Run.open(ExperimentSettings(runs_dir=folder), run_id, parameters) as run,
        run.transaction(),
    ):
        run.start(digests)
        for iteration, values in metrics.items():
            run.log(iteration, values)
        for iteration, questions in (dialogues or {}).items():
            for position, (question, is_right) in enumerate(
                (question, each) for question, all_of in questions.items() for each in all_of
            ):
                record = {
                    "datapoint_id": question,
                    "status": "failed" if is_right is None else "completed",
                    "verdict": int(bool(is_right)),
                    "y": 1,
                    "messages": [],
                }
                run.rollouts.add("test", iteration, position, record)
        # ``finish`` would draw a figure.
        run._database.set_state("status", status)
    return folder / run_id


def write_groups(folder: Path, groups: Mapping[str, Sequence[float]], **changes: Any) -> Path:
    """Write one run per value: groups by trainer, with the seeds 1, 2, ... and one test."""
    for trainer, values in groups.items():
        for seed, value in enumerate(values, start=1):
            parameters = {"trainer": trainer, "seed": seed, "rl": {"lr": 0.1}, **changes}
            metrics = {
                1: {"mean_accuracy": value / 2},
                2: {"mean_accuracy": value, METRIC: value},
            }
            stem = re.sub(r"\W", "", trainer)
            write_run(folder, f"{stem}-seed-{seed}", parameters, metrics)
    return folder
