"""The life of one run: check, build, train, and say what came out.

Nothing heavy is imported before the parameters have been checked: a mistake is told at once.
"""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.errors import ParameterError, ResumeError
from nip.experiment.base_run import apply_base_run
from nip.experiment.loaded_agents import apply_agent_checkpoints
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, trainer_specs
from nip.run_store import ResumePolicy, Run
from nip.run_store.run_id import check_run_id, is_run_folder
from nip.utils.ranks import Ranks, connected_ranks, current_ranks, launched_ranks

if TYPE_CHECKING:
    from nip.experiment.plan import ExperimentPlan
    from nip.scenario_instance import ScenarioInstance
    from nip.trainers.core.components import TrainerComponents
    from nip.trainers.text.plan import TextPlan


@dataclass(frozen=True)
class RunResult:
    """What came out of a run."""

    run_id: str
    """Name of the run."""

    folder: Path
    """Where everything about the run lies."""

    metrics: dict[str, float]
    """The last value of each metric."""

    best_checkpoint: Path | None = None
    """Folder of the best checkpoint; None if none was marked as such."""


def run_experiment(
    hyper_params: HyperParameters,
    *,
    run_id: str | None = None,
    resume: ResumePolicy = "auto",
    components: "TrainerComponents | None" = None,
    settings: ExperimentSettings | None = None,
    **settings_kwargs: Any,
) -> RunResult:
    """Run an experiment, or go on with one that was interrupted.

    Where torchrun has started several processes, each of them calls this: they train together, and
    the first one writes the files.

    Parameters
    ----------
    hyper_params : HyperParameters
        What is to be run. What its group ``base_run``, and agents that begin with a checkpoint, ask
        for is taken from other runs first.
    run_id : str, optional
        Name of the run and of its folder; by default made of the experiment and the time.
    resume : ResumePolicy
        What to do if the run exists already: go on (``auto``, ``must``) or refuse (``never``); and
        if it does not: begin it (``auto``, ``never``) or refuse (``must``). A run that is completed
        is not trained again: its result is returned.
    components : TrainerComponents, optional
        Parts of the trainer to be exchanged, and callbacks; they are not stored with the run.
    settings : ExperimentSettings, optional
        How and where to run.
    **settings_kwargs : Any
        Single settings, for example ``device="cuda"``; they win over ``settings``.

    Returns
    -------
    result : RunResult
        Name, folder and last metrics of the run.

    Raises
    ------
    NipError
        If the experiment cannot be run as asked. Then no folder is made, and an existing run is
        left as it was.
    """
    settings = combine_settings(settings, settings_kwargs)
    hyper_params = apply_base_run(hyper_params, settings)
    hyper_params = apply_agent_checkpoints(hyper_params, settings, run_id)
    run_id = new_run_id(hyper_params, settings) if run_id is None else run_id
    check_run_id(run_id)
    _check(hyper_params, settings)
    own_settings = _settings_of_rank(settings, launched_ranks())
    with connected_ranks(own_settings.device) as ranks:
        run_id = ranks.share_text(run_id)
        (is_there,) = ranks.first([is_run_folder(Path(settings.runs_dir) / run_id)])
        instance = None
        if not is_there and resume != "must":
            # A new run gets its folder only after its parts could be built.
            instance = _build(hyper_params, own_settings)
            _check_trainer(hyper_params, own_settings, instance, components)
        run = ranks.only_first(lambda: _open(settings, run_id, hyper_params, resume, ranks))
        with run or nullcontext():
            (is_completed,) = ranks.first([run is not None and run.status == "completed"])
            if not is_completed:
                instance = instance or _build(hyper_params, own_settings)
                _train(run, hyper_params, own_settings, instance, components)
            if run is not None and settings.progress:
                _print_summary(run)
            return _result(run, Path(settings.runs_dir) / run_id, ranks)


def prepare_experiment(
    hyper_params: HyperParameters,
    *,
    settings: ExperimentSettings | None = None,
    **settings_kwargs: Any,
) -> "ExperimentPlan | TextPlan":
    """Build everything as ``run_experiment`` would, fill caches, and report sizes; train nothing.

    Parameters
    ----------
    hyper_params : HyperParameters
        What is to be run.
    settings : ExperimentSettings, optional
        How and where to run.
    **settings_kwargs : Any
        Single settings; they win over ``settings``.

    Returns
    -------
    plan : ExperimentPlan | TextPlan
        What would be run: agents, data, sizes; for language models also calls and costs.

    Raises
    ------
    NipError
        If the experiment cannot be run as asked.
    """
    settings = combine_settings(settings, settings_kwargs)
    hyper_params = apply_agent_checkpoints(apply_base_run(hyper_params, settings), settings)
    _check(hyper_params, settings)
    instance = _build(hyper_params, settings)
    from nip.experiment.plan import make_plan

    _check_trainer(hyper_params, settings, instance, components=None)

    return make_plan(hyper_params, instance, settings)


def combine_settings(
    settings: ExperimentSettings | None, changes: dict[str, Any]
) -> ExperimentSettings:
    """Give the settings with single ones replaced; the defaults where there are none."""
    if settings is None:
        return ExperimentSettings(**changes)
    return replace(settings, **changes) if changes else settings


def new_run_id(hyper_params: HyperParameters, settings: ExperimentSettings) -> str:
    """Make a readable name that no run has yet."""
    parts = (hyper_params.scenario, hyper_params.interaction_protocol, hyper_params.trainer)
    stem = f"{'-'.join(parts)}-{datetime.now():%Y%m%d-%H%M%S}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not (Path(settings.runs_dir) / name).exists())


def _check(hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
    # The protocols need NumPy, which somebody who imports only parameters does not wait for.
    from nip.experiment.checks import check_experiment

    check_experiment(hyper_params, settings)


def _build(hyper_params: HyperParameters, settings: ExperimentSettings) -> "ScenarioInstance":
    from nip.factory import build_scenario_instance

    if _has_tensors(hyper_params):
        _check_device(settings.device)
    with _torch_threads(hyper_params, settings):
        return build_scenario_instance(hyper_params, settings)


def _open(
    settings: ExperimentSettings,
    run_id: str,
    hyper_params: HyperParameters,
    resume: ResumePolicy,
    ranks: Ranks,
) -> Run:
    """Open a run, which goes on with as many processes as it was begun with."""
    run = Run.open(settings, run_id, hyper_params.to_dict(), resume)
    begun_with = run.get_state("num_ranks", 1)
    if begun_with == ranks.size or run.status == "completed":
        return run
    if run.history.names():
        run.close()
        raise ResumeError(
            f"Run {run_id!r} was begun with {begun_with} processes and cannot go on with "
            f"{ranks.size}, among which its data would be divided otherwise. Start it with "
            f"torchrun --nproc_per_node {begun_with}, or choose another run_id for a new run."
        )
    run.set_state("num_ranks", ranks.size)
    return run


def _settings_of_rank(settings: ExperimentSettings, ranks: Ranks) -> ExperimentSettings:
    """Give each process a GPU of its own, and let only the first one show how far it is."""
    if ranks.size == 1:
        return settings
    if settings.device == "cuda":
        _check_device(f"cuda:{ranks.local_size - 1}")
        settings = replace(settings, device=f"cuda:{ranks.local_rank}")
    return replace(settings, progress=settings.progress and ranks.is_first)


def _check_trainer(
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    instance: "ScenarioInstance",
    components: "TrainerComponents | None",
) -> None:
    """Build the trainer once without a run, to hear what it cannot do."""
    from nip.trainers.registry import build_trainer

    build_trainer(hyper_params, instance, settings, components=components).check()


def _train(
    run: Run | None,
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    instance: "ScenarioInstance",
    components: "TrainerComponents | None",
) -> None:
    """Train to the end; a run that fails says so, one that is interrupted may go on."""
    from nip.trainers.registry import build_trainer

    def start() -> None:
        assert run is not None
        run.start(instance.digests())

    current_ranks().only_first(start)
    try:
        with _torch_threads(hyper_params, settings):
            trainer = build_trainer(hyper_params, instance, settings, run, components)
            with trainer.closing():
                trainer.train()
    except Exception as error:
        if run is not None:
            run.finish("failed", error)
        raise
    if run is not None:
        run.finish("completed")


def _result(run: Run | None, folder: Path, ranks: Ranks) -> RunResult:
    """Return on all ranks what the first one knows."""
    known = None if run is None else [run.history.latest_all(), str(run.best_checkpoint or "")]
    metrics, best = json.loads(ranks.share_text(json.dumps(known)))
    return RunResult(folder.name, folder, metrics, Path(best) if best else None)


def _print_summary(run: Run) -> None:
    # Imported when needed: layout for terminals takes a while, and a mistake is to be told at once.
    from nip.run_store.report.terminal_summary import print_summary

    print_summary(run)


def _has_tensors(hyper_params: HyperParameters) -> bool:
    return trainer_specs[hyper_params.trainer].data == "tensordict"


@contextmanager
def _torch_threads(hyper_params: HyperParameters, settings: ExperimentSettings) -> Iterator[None]:
    """Compute with so many threads, and leave the caller's number as it was."""
    if not _has_tensors(hyper_params):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(settings.num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check_device(device: str) -> None:
    """Refuse a device that this machine does not have, before anything is put on it."""
    import torch

    kind, _, number = device.partition(":")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise ParameterError(
            f"settings.device={device} asks for a GPU that PyTorch does not see here; it sees "
            f"{torch.cuda.device_count()}. Use settings.device=cpu, or a CUDA build of PyTorch."
        )
