"""Testing once more the models that another run had after each of its iterations."""

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
from nip.run_store.reading import read_state
from nip.trainers.text.data_order import is_tested, reruns_tests
from nip.trainers.text.model_connection import ENDPOINT_FILE
from nip.trainers.text.state import STATE_KEY, TextTrainerState
from nip.utils.files import TEMPORARY_SUFFIX, flush_to_disk

Models = dict[str, str]
"""The model of each group of agents."""

_PROGRESS_KEY = "rerun_tests"


def models_of_base_run(
    hyper_params: HyperParameters, settings: ExperimentSettings
) -> tuple[Models, ...]:
    """Read which models the base run had in each of its iterations so far.

    Parameters
    ----------
    hyper_params : HyperParameters
        Its ``base_run`` names the run.
    settings : ExperimentSettings
        Where the run lies.

    Raises
    ------
    ParameterError
        If there is no such run, or its first iteration is not over.
    """
    run_id = str(hyper_params.base_run.run_id)
    stored = read_state(Path(settings.runs_dir) / run_id, STATE_KEY)
    state = None if stored is None else TextTrainerState.from_dict(stored)
    if state is None or (state.iteration == 0 and not state.is_done):
        raise ParameterError(
            f"base_run.run_id={run_id!r} is still at its first iteration, so it has no models to "
            "test. Let it go on, and try again later."
        )
    return state.models


def rerun_tests(
    run: Run,
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    test: Callable[[tuple[Models, ...]], Mapping[str, float]],
    log: Callable[[int, Mapping[str, float]], None],
) -> None:
    """Go through the iterations of the base run, and test the models of each.

    Which models these are is noted first, so that a run that goes on after a kill tests the same,
    however far the base run has come meanwhile.

    Parameters
    ----------
    run : Run
        Where the progress is kept.
    hyper_params : HyperParameters
        Which iterations of which run are tested.
    settings : ExperimentSettings
        Where the base run lies.
    test : callable
        Tests the last of the models that it is given, one entry for each iteration so far; returns
        the metrics.
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
            f"Run {hyper_params.base_run.run_id!r} has come to iteration {len(models)} of "
            f"{hyper_params.rl.num_iterations}, where the tests end."
        )
    for iteration in range(progress["num_over"], len(models)):
        metrics = test(models[: iteration + 1]) if is_tested(hyper_params, iteration) else {}
        with run.transaction():
            if metrics:
                log(iteration + 1, metrics)
            run.set_state(_PROGRESS_KEY, {**progress, "num_over": iteration + 1})


def bring_endpoint_of_base_run(
    hyper_params: HyperParameters, settings: ExperimentSettings, folder: Path
) -> None:
    """Let the endpoint of a rehearsal know the models that the base run has fine-tuned.

    What the endpoint of that run remembers is copied, unless this has been done; outside a
    rehearsal there is nothing to copy.

    Parameters
    ----------
    hyper_params : HyperParameters
        Its ``base_run`` names the run.
    settings : ExperimentSettings
        Where the run lies.
    folder : Path
        The folder of the run that begins.
    """
    source = Path(settings.runs_dir) / str(hyper_params.base_run.run_id) / ENDPOINT_FILE
    target = folder / ENDPOINT_FILE
    if not reruns_tests(hyper_params) or target.exists() or not source.exists():
        return
    temporary = folder / f".{ENDPOINT_FILE}.{os.getpid()}{TEMPORARY_SUFFIX}"
    temporary.unlink(missing_ok=True)
    # Copied by SQLite, since the base run may be writing to it.
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as original,
        closing(sqlite3.connect(temporary)) as copy,
    ):
        original.backup(copy)
    flush_to_disk(temporary)
    temporary.replace(target)
