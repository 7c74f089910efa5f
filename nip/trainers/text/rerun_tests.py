"""Rerun tests with the models that another run had after each of its iterations."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from nip.errors import ParameterError, warn_user
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run_store import Run
from nip.run_store.database.connection import connect_for_reading
from nip.run_store.reading import read_state
from nip.trainers.text.data_order import is_tested, reruns_tests
from nip.trainers.text.model_connection import ENDPOINT_FILE
from nip.trainers.text.state import STATE_KEY, TextTrainerState
from nip.utils.files import TEMPORARY_SUFFIX, flush_to_disk

Models = dict[str, str]
"""Model name of each model group."""

_PROGRESS_KEY = "rerun_tests"


def models_of_base_run(
    hyper_params: HyperParameters, settings: ExperimentSettings
) -> tuple[Models, ...]:
    """Read the models of the base run in each of its iterations so far.

    Raise ``ParameterError`` if the run does not exist, or has not finished an iteration.
    """
    run_id = str(hyper_params.base_run.run_id)
    stored = read_state(Path(settings.runs_dir) / run_id, STATE_KEY)
    state = None if stored is None else TextTrainerState.from_dict(stored)
    if state is None or (state.iteration == 0 and not state.is_done):
        raise ParameterError(
            f"base_run.run_id={run_id!r} is still in its first iteration, so it has no models to "
            "test. Continue that run, and try again later."
        )
    return state.models


def rerun_tests(
    run: Run,
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    test: Callable[[tuple[Models, ...]], Mapping[str, float]],
    log: Callable[[int, Mapping[str, float]], None],
) -> None:
    """Test the models of each iteration of the base run.

    The models are stored before the first test, so that a resumed run tests the same ones even if
    the base run has advanced in the meantime.

    Parameters
    ----------
    test : callable
        Tests the models of the last iteration of its argument, which has one entry for each
        iteration so far, and returns the metrics.
    log : callable
        Stores the metrics of an iteration, counted from 1.
    """
    progress = run.get_state(_PROGRESS_KEY)
    if progress is None:
        progress = {"models": list(models_of_base_run(hyper_params, settings)), "num_over": 0}
        run.set_state(_PROGRESS_KEY, progress)
    models: tuple[Models, ...] = tuple(progress["models"])
    if len(models) < hyper_params.rl.num_iterations:
        warn_user(
            f"Run {hyper_params.base_run.run_id!r} has reached iteration {len(models)} of "
            f"{hyper_params.rl.num_iterations}; later iterations are not tested."
        )
    for iteration in range(progress["num_over"], len(models)):
        metrics = test(models[: iteration + 1]) if is_tested(hyper_params, iteration) else {}
        with run.transaction():
            if metrics:
                log(iteration + 1, metrics)
            run.set_state(_PROGRESS_KEY, {**progress, "num_over": iteration + 1})


def copy_endpoint_of_base_run(
    hyper_params: HyperParameters, settings: ExperimentSettings, folder: Path
) -> None:
    """Copy the mock API's state of the base run, which contains its fine-tuned models.

    Does nothing if the copy exists in the folder of the new run, or if the base run did not use the
    mock API.
    """
    source = Path(settings.runs_dir) / str(hyper_params.base_run.run_id) / ENDPOINT_FILE
    target = folder / ENDPOINT_FILE
    if not reruns_tests(hyper_params) or target.exists() or not source.exists():
        return
    temporary = folder / f".{ENDPOINT_FILE}.{os.getpid()}{TEMPORARY_SUFFIX}"
    temporary.unlink(missing_ok=True)
    # Copied by SQLite's backup, which is consistent even if the base run is writing to the file.
    with (
        closing(connect_for_reading(source)) as original,
        closing(sqlite3.connect(temporary)) as copy,
    ):
        original.backup(copy)
    flush_to_disk(temporary)
    temporary.replace(target)
