"""Running one experiment with several seeds in one process, as one run for each seed.

PyTorch is imported only after the checks, so that invalid parameters are reported quickly.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nip.errors import NipWarning, ParameterError, shown, warn_user
from nip.experiment.checked import CheckedExperiment, check
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, scenario_specs
from nip.run import (
    RunResult,
    build_checked,
    combine_settings,
    new_run_id,
    run_checked,
    torch_threads,
)
from nip.run_store import ResumePolicy
from nip.run_store.opening import check_can_open
from nip.run_store.run_id import check_run_id
from nip.utils.ranks import launched_ranks
from nip.utils.stop_signals import handled_signals

if TYPE_CHECKING:
    from nip.experiment.plan import ExperimentPlan
    from nip.trainers.core.trainer import Trainer
    from nip.trainers.text.plan import TextPlan

MAX_SEEDS = 1000
"""Largest number of seeds in one process, each of which has a thread and a run folder."""

SEED_SUFFIX = "-seed-"
"""What stands between the common name of the runs and the seed of each."""


def run_parallel_seeds(
    hyper_params: HyperParameters,
    num_parallel_seeds: int,
    *,
    run_id: str | None = None,
    resume: ResumePolicy = "auto",
    settings: ExperimentSettings | None = None,
    **settings_kwargs: Any,
) -> list[RunResult]:
    """Run an experiment with several seeds, whose networks are trained together.

    The seeds are ``seed``, ``seed + 1`` and so on. Each is a run of its own, named
    ``<run_id>-seed-<seed>``, with the numbers that it would have alone, up to rounding.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment, with the first seed.
    num_parallel_seeds : int
        Number of seeds.
    run_id : str, optional
        Beginning of the names of the runs; by default generated from experiment and time.
    resume : ResumePolicy
        What to do with runs that exist already; see ``run_experiment``.
    settings : ExperimentSettings, optional
        How and where to run.
    **settings_kwargs : Any
        Single settings; they take precedence over ``settings``.

    Returns
    -------
    results : list of RunResult
        The results of the runs, in the order of their seeds.

    Raises
    ------
    NipError
        If the seeds cannot be run together, in which case no folder is made. If some of the runs
        fail, the error of the first of them, after all others have ended.
    """
    settings = combine_settings(settings, settings_kwargs)
    return run_checked_seeds(
        check_seeds(hyper_params, num_parallel_seeds, settings, run_id, resume)
    )


def check_seeds(
    hyper_params: HyperParameters,
    num_parallel_seeds: int,
    settings: ExperimentSettings,
    run_id: str | None = None,
    resume: ResumePolicy = "auto",
    *,
    generated_run_id: str | None = None,
) -> tuple[CheckedExperiment, ...]:
    """Return the checked experiment of each seed.

    Without a ``run_id``, the names of the runs begin with ``generated_run_id``.

    Raises
    ------
    NipError
        If one of them cannot be run as requested.
    """
    check_num_seeds(num_parallel_seeds)
    if num_parallel_seeds > 1:
        _check_kind(hyper_params, num_parallel_seeds)
    name = run_id or generated_run_id or new_run_id(hyper_params)
    experiments = []
    for seed in range(hyper_params.seed, hyper_params.seed + num_parallel_seeds):
        own = _with_seed(hyper_params, seed)
        own_name = f"{name}{seed_suffix(own)}"
        check_run_id(own_name)
        checked = check(own, settings, None if run_id is None else own_name, resume)
        experiments.append(replace(checked, generated_run_id=own_name))
    return tuple(experiments)


def seed_suffix(hyper_params: HyperParameters) -> str:
    """Return what the name of the run of a seed ends with."""
    return f"{SEED_SUFFIX}{hyper_params.seed}"


def check_num_seeds(num_parallel_seeds: Any) -> None:
    """Raise ``ParameterError`` unless this is a number of seeds."""
    if type(num_parallel_seeds) is not int or not 1 <= num_parallel_seeds <= MAX_SEEDS:
        raise ParameterError(
            f"num_parallel_seeds must be an integer from 1 to {MAX_SEEDS}, got "
            f"{shown(num_parallel_seeds)}. Set it to the number of seeds that train together, or "
            "leave it out for a single run."
        )


def prepare_seeds(experiments: Sequence[CheckedExperiment]) -> list[ExperimentPlan | TextPlan]:
    """Build the seeds of an experiment, check that they can train together, and report sizes."""
    trainers = build_seeds(experiments)
    from nip.experiment.plan import make_plan

    return [make_plan(trainer) for trainer in trainers]


def build_seeds(experiments: Sequence[CheckedExperiment]) -> list[Trainer]:
    """Build the trainers of all seeds, and check that they can train together.

    Raises
    ------
    NipError
        If they cannot.
    """
    trainers = [build_checked(experiment) for experiment in experiments]
    from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
    from nip.trainers.tensor.parallel_seeds.support import check_can_train_together

    with torch_threads(experiments[0].hyper_params, experiments[0].settings):
        check_can_train_together(trainers, TensorDictRlTrainer)  # type: ignore[arg-type]
    return trainers


def run_checked_seeds(
    experiments: Sequence[CheckedExperiment],
    *,
    on_open: Callable[[str], object] = lambda run_id: run_id,
) -> list[RunResult]:
    """Run the seeds of an experiment that have passed the checks; see ``run_parallel_seeds``.

    ``on_open`` is called with the name of each run as soon as it has a folder.
    """
    if len(experiments) == 1:
        return [run_checked(experiments[0], on_open=on_open)]
    experiments = [_with_progress(each, index == 0) for index, each in enumerate(experiments)]
    for each in experiments:
        if each.run_id is not None:
            check_can_open(each.settings, each.run_id, each.hyper_params.to_dict(), each.resume)
    trainers = build_seeds(experiments)
    from nip.trainers.tensor.parallel_seeds.seed_group import SeedGroup

    settings = experiments[0].settings
    group = SeedGroup(settings)
    tasks = []
    for experiment, trainer in zip(experiments, trainers, strict=True):
        group.join(trainer)  # type: ignore[arg-type]
        tasks.append(partial(run_checked, experiment, trainer=trainer, on_open=on_open))
    with handled_signals(), torch_threads(experiments[0].hyper_params, settings):
        outcomes = group.run(tasks)
    _raise_errors(outcomes, experiments)
    return outcomes


def _raise_errors(outcomes: Sequence[Any], experiments: Sequence[CheckedExperiment]) -> None:
    """Raise the error of the first run that has failed, after saying which have."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
            raise outcome
    failed = [index for index, each in enumerate(outcomes) if isinstance(each, Exception)]
    if not failed:
        return
    if len(failed) < len(outcomes):
        names = ", ".join(str(experiments[index].hyper_params.seed) for index in failed)
        warn_user(
            f"{len(failed)} of {len(outcomes)} runs have failed, those of seed {names}. The others "
            "are complete."
        )
    raise outcomes[failed[0]]


def _check_kind(hyper_params: HyperParameters, num_parallel_seeds: int) -> None:
    """Refuse what is never run with several seeds in one process."""
    data = scenario_specs[hyper_params.scenario].data
    if data != "tensordict":
        kind = "language models" if data == "text" else "agents that are no networks"
        raise ParameterError(
            f"num_parallel_seeds={num_parallel_seeds} trains the networks of several runs "
            f"together, but scenario={hyper_params.scenario} has {kind}. Start one run for each "
            "seed, for example with seed=1,2,3 --multirun."
        )
    if launched_ranks().size > 1:
        raise ParameterError(
            f"num_parallel_seeds={num_parallel_seeds} needs a single process, and torchrun has "
            f"started {launched_ranks().size}. Start it with python, or use num_parallel_seeds=1."
        )


def _with_seed(hyper_params: HyperParameters, seed: int) -> HyperParameters:
    """Return the parameters with another seed, without repeating the warnings about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        return replace(hyper_params, seed=seed)


def _with_progress(experiment: CheckedExperiment, is_first: bool) -> CheckedExperiment:
    """Let only the first run show its progress, which is that of all."""
    settings = experiment.settings
    return replace(experiment, settings=replace(settings, progress=settings.progress and is_first))
