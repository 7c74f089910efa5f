"""Running an experiment: check, build, open the run, train, and return the result.

PyTorch is imported only after the checks, so that invalid parameters are reported quickly.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.errors import ParameterError, ResumeError, StorageError, warn_user
from nip.experiment.checked import CheckedExperiment, check
from nip.experiment.rank_agreement import check_same_data, check_same_experiment
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, scenario_specs
from nip.run_store import ResumePolicy, Run
from nip.run_store.run_id import generated_run_id, is_run_folder
from nip.utils.memory_limit import problem_with_memory
from nip.utils.ranks import Ranks, connected_ranks, current_ranks, launched_ranks
from nip.utils.stop_signals import handled_signals

if TYPE_CHECKING:
    from nip.experiment.plan import ExperimentPlan
    from nip.trainers.core.components import TrainerComponents
    from nip.trainers.core.trainer import Trainer
    from nip.trainers.text.plan import TextPlan


@dataclass(frozen=True)
class RunResult:
    """Result of a run."""

    run_id: str
    """Name of the run."""

    folder: Path
    """Folder of the run."""

    metrics: dict[str, float]
    """The last value of each metric."""

    best_checkpoint: Path | None = None
    """Folder of the best checkpoint; None if no checkpoint was marked as best."""


def run_experiment(
    hyper_params: HyperParameters,
    *,
    run_id: str | None = None,
    resume: ResumePolicy = "auto",
    components: "TrainerComponents | None" = None,
    settings: ExperimentSettings | None = None,
    **settings_kwargs: Any,
) -> RunResult:
    """Run an experiment, or resume one that was interrupted.

    Under torchrun every process calls this function; the processes train together, and the first
    one writes the files.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment. Values that its group ``base_run``, and agents that start from a
        checkpoint, refer to are first taken from the other runs.
    run_id : str, optional
        Name of the run and of its folder; by default generated from the experiment and the time.
    resume : ResumePolicy
        What to do if the run exists already: resume it (``auto``, ``must``) or refuse (``never``);
        and if it does not: start it (``auto``, ``never``) or refuse (``must``). A completed run is
        not trained again: its result is returned.
    components : TrainerComponents, optional
        Replacements for parts of the trainer, and callbacks; they are not stored with the run.
    settings : ExperimentSettings, optional
        How and where to run.
    **settings_kwargs : Any
        Single settings, for example ``device="cuda"``; they take precedence over ``settings``.

    Returns
    -------
    result : RunResult
        Name, folder and last metrics of the run.

    Raises
    ------
    NipError
        If the experiment cannot be run as requested. In this case no folder is made, and an
        existing run is not changed.
    """
    settings = combine_settings(settings, settings_kwargs)
    return run_checked(check(hyper_params, settings, run_id, resume), components)


def run_checked(
    experiment: CheckedExperiment,
    components: "TrainerComponents | None" = None,
    *,
    trainer: "Trainer | None" = None,
    on_open: Callable[[str], object] = lambda run_id: run_id,
) -> RunResult:
    """Run an experiment that has passed the checks; see ``run_experiment``.

    Protocol, scenario instance and trainer are built once, unless a ``trainer`` of
    ``build_checked`` is given. A new run gets its folder only after they were built and the trainer
    has accepted its callbacks and components. ``on_open`` is called with the name of the run as
    soon as it has a folder.
    """
    experiment = _with_known_kernels(experiment)
    runs_dir = Path(experiment.settings.runs_dir)
    own_settings = _settings_of_rank(experiment.settings, launched_ranks())
    with connected_ranks(own_settings.device) as ranks:
        check_same_experiment(experiment, ranks)
        is_named = experiment.run_id is not None
        (is_there,) = ranks.first([is_named and is_run_folder(runs_dir / str(experiment.run_id))])
        if trainer is None and not is_there and experiment.resume != "must":
            trainer = _build_trainer(experiment, own_settings, components)
        run = ranks.only_first(lambda: _open(experiment, ranks))
        with run or nullcontext():
            folder = runs_dir / ranks.share_text("" if run is None else run.run_id)
            on_open(folder.name)
            (is_completed,) = ranks.first([run is not None and run.status == "completed"])
            if not is_completed:
                trainer = trainer or _build_trainer(experiment, own_settings, components)
                _train(trainer, run)
            if run is not None and experiment.settings.progress:
                _print_summary(run)
            return _result(run, folder, ranks)


def prepare_experiment(
    hyper_params: HyperParameters,
    *,
    settings: ExperimentSettings | None = None,
    **settings_kwargs: Any,
) -> "ExperimentPlan | TextPlan":
    """Build everything as ``run_experiment`` would, and report sizes without training.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment.
    settings : ExperimentSettings, optional
        How and where to run.
    **settings_kwargs : Any
        Single settings; they take precedence over ``settings``.

    Returns
    -------
    plan : ExperimentPlan | TextPlan
        Agents, data and sizes; for language models also calls and costs.

    Raises
    ------
    NipError
        If the experiment cannot be run as requested.
    """
    return prepare_checked(check(hyper_params, combine_settings(settings, settings_kwargs)))


def build_checked(experiment: CheckedExperiment) -> "Trainer":
    """Build the trainer of an experiment that has passed the checks, for ``run_checked``."""
    return _build_trainer(experiment, experiment.settings)


def prepare_checked(experiment: CheckedExperiment) -> "ExperimentPlan | TextPlan":
    """Build an experiment that has passed the checks; see ``prepare_experiment``."""
    trainer = _build_trainer(experiment, experiment.settings)
    from nip.experiment.plan import make_plan

    return make_plan(trainer)


def combine_settings(
    settings: ExperimentSettings | None, changes: dict[str, Any]
) -> ExperimentSettings:
    """Return the settings with single ones replaced; the defaults if ``settings`` is None."""
    if settings is None:
        return ExperimentSettings(**changes)
    return replace(settings, **changes) if changes else settings


def new_run_id(hyper_params: HyperParameters) -> str:
    """Generate a readable name from the experiment and the time, which may be taken already."""
    parts = (hyper_params.scenario, hyper_params.interaction_protocol, hyper_params.trainer)
    return generated_run_id(parts, datetime.now())


def _build_trainer(
    experiment: CheckedExperiment,
    settings: ExperimentSettings,
    components: "TrainerComponents | None" = None,
) -> "Trainer":
    """Build the scenario instance and the trainer, and let the trainer check itself."""
    from nip.factory import build_scenario_instance
    from nip.trainers.registry import build_trainer

    hyper_params = experiment.hyper_params
    if _has_tensors(hyper_params):
        _check_device(settings.device, hyper_params)
    with torch_threads(hyper_params, settings):
        instance = build_scenario_instance(
            hyper_params, settings, experiment.protocol, experiment.text_parts
        )
        trainer = build_trainer(hyper_params, instance, settings, components=components)
    trainer.check()
    return trainer


def _open(experiment: CheckedExperiment, ranks: Ranks) -> Run:
    """Open a run, which is resumed with as many processes as it was started with."""
    parameters, run_id = experiment.hyper_params.to_dict(), experiment.run_id
    if run_id is None:
        name = experiment.generated_run_id or new_run_id(experiment.hyper_params)
        run = Run.create(experiment.settings, name, parameters)
    else:
        run = Run.open(experiment.settings, run_id, parameters, experiment.resume)
    started_with = run.get_state("num_ranks", 1)
    if started_with == ranks.size or run.status == "completed":
        return run
    if run.history.names():
        run.close()
        raise ResumeError(
            f"Run {run_id!r} was started with {started_with} processes and cannot be resumed with "
            f"{ranks.size}, because its data would be divided differently. Start it with torchrun "
            f"--nproc_per_node {started_with}, or choose another run_id for a new run."
        )
    run.set_state("num_ranks", ranks.size)
    return run


def _settings_of_rank(settings: ExperimentSettings, ranks: Ranks) -> ExperimentSettings:
    """Assign a GPU to each process, and show progress only in the first one."""
    if ranks.size == 1:
        return settings
    if settings.device == "cuda":
        _check_device(f"cuda:{ranks.local_size - 1}")
        settings = replace(settings, device=f"cuda:{ranks.local_rank}")
    return replace(settings, progress=settings.progress and ranks.is_first)


def _train(trainer: "Trainer", run: Run | None) -> None:
    """Train to the end. An error marks the run as failed; an interrupted run stays resumable."""
    with handled_signals():
        _train_and_finish(trainer, run)


def _train_and_finish(trainer: "Trainer", run: Run | None) -> None:

    def start() -> None:
        assert run is not None
        note = trainer.scenario_instance.continue_run(run.digests())
        if note is not None:
            warn_user(note)
        run.start(trainer.scenario_instance.digests())

    check_same_data(trainer.scenario_instance, current_ranks())
    current_ranks().only_first(start)
    try:
        with torch_threads(trainer.hyper_params, trainer.settings):
            if run is not None:
                trainer = _attach_run(trainer, run)
            with trainer.closing():
                trainer.train()
    except Exception as error:
        if run is not None:
            # On a full disk the status stays "running", which is that of any interrupted run.
            with suppress(StorageError):
                run.finish("failed", error)
        raise
    if run is not None:
        run.finish("completed")


def _attach_run(trainer: "Trainer", run: Run) -> "Trainer":
    """Give a trainer its run; one with a constructor of its own is constructed again with it.

    Such a constructor may use the run, which it did not have when the trainer was checked.
    """
    classes = type(trainer).__mro__
    if all("__init__" not in vars(cls) or _is_builtin(cls) for cls in classes):
        trainer.attach_run(run)
        return trainer
    from nip.trainers.registry import build_trainer

    parts = trainer.hyper_params, trainer.scenario_instance, trainer.settings
    return build_trainer(*parts, run, trainer.components)


def _is_builtin(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in ("nip", "abc", "builtins", "typing")


def _result(run: Run | None, folder: Path, ranks: Ranks) -> RunResult:
    """Return the result of the first rank on all ranks."""
    known = None if run is None else [run.history.latest_all(), str(run.best_checkpoint or "")]
    metrics, best = json.loads(ranks.share_text(json.dumps(known)))
    return RunResult(folder.name, folder, metrics, Path(best) if best else None)


def _print_summary(run: Run) -> None:
    # rich takes a while to import.
    from nip.run_store.report.terminal_summary import print_summary

    print_summary(run)


def _has_tensors(hyper_params: HyperParameters) -> bool:
    """Return whether the experiment computes with PyTorch; a custom kind of data may do so too."""
    return scenario_specs[hyper_params.scenario].data in ("tensordict", "game")


def _with_known_kernels(experiment: CheckedExperiment) -> CheckedExperiment:
    """Compile kernels if they are wanted; where that fails, switch them off.

    Thus a run knows by which of both it was computed, and says so if it is resumed otherwise. Users
    are told where networks would have had kernels; where only updates have, there is little lost.
    """
    settings, spec = experiment.settings, scenario_specs[experiment.hyper_params.scenario]
    has_updates = spec.data == "tensordict"
    if not has_updates or settings.device != "cpu" or settings.native_kernels == "off":
        return experiment
    from nip.native.library import unavailable_reason

    reason = unavailable_reason()
    if reason is None:
        return experiment
    if spec.has_kernels:
        warn_user(
            f"Networks are computed by PyTorch alone, which takes about twice as long as with "
            f"compiled kernels: {reason}. Install a C++ compiler, such as g++, or set "
            "settings.native_kernels=off, which changes nothing but this message."
        )
    return replace(experiment, settings=replace(settings, native_kernels="off"))


@contextmanager
def torch_threads(hyper_params: HyperParameters, settings: ExperimentSettings) -> Iterator[None]:
    """Set the threads of PyTorch, and whether kernels are used; restore both at the end."""
    if not _has_tensors(hyper_params):
        yield
        return
    import torch

    from nip.native.kernels import native_kernels

    before = torch.get_num_threads()
    torch.set_num_threads(settings.num_threads)
    try:
        with native_kernels(settings.native_kernels == "auto"):
            yield
    finally:
        torch.set_num_threads(before)


def _check_device(device: str, hyper_params: HyperParameters | None = None) -> None:
    """Refuse a device that this machine does not have, or whose memory is too small."""
    import torch

    kind, _, number = device.partition(":")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise ParameterError(
            f"settings.device={device} needs a GPU that PyTorch does not find on this machine; it "
            f"finds {torch.cuda.device_count()}. Use settings.device=cpu, or a CUDA build of "
            "PyTorch."
        )
    if kind == "cuda" and hyper_params is not None:
        from nip.parameters.checks.memory import memory_needs

        limit = torch.cuda.get_device_properties(int(number or 0)).total_memory
        needs = [need for need in memory_needs(hyper_params) if need.on_device]
        if problem := problem_with_memory(needs, limit):
            raise ParameterError(f"settings.device={device}: {problem}")
