"""The request of a command line: a checked experiment, which is run or only reported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from nip.command_line.defaults import RUN_KEYS
from nip.command_line.errors import plain_messages, stopped_early
from nip.errors import ParameterError, did_you_mean, shown
from nip.experiment.checked import CheckedExperiment, check
from nip.experiment_settings import ExperimentSettings
from nip.parallel_seeds import (
    SEED_SUFFIX,
    check_num_seeds,
    check_seeds,
    prepare_seeds,
    run_checked_seeds,
    seed_suffix,
)
from nip.parameters import HyperParameters
from nip.run import new_run_id, prepare_checked, run_checked
from nip.run_store import ResumePolicy
from nip.run_store.run_id import check_run_id
from nip.utils.lasting_output import announce_lost_output
from nip.utils.ranks import launched_ranks


@dataclass(frozen=True)
class Request:
    """What a command line asks for."""

    experiment: CheckedExperiment
    """The experiment, after all checks; that of the first seed if several train together."""

    dry_run: bool
    """Whether to report what would be run instead of running it."""

    seeds: tuple[CheckedExperiment, ...] = ()
    """The experiment of each seed, if several train together."""


def read_request(
    tree: Mapping[str, Any], name_job: Callable[[str], str] = lambda run_id: run_id
) -> Request:
    """Read and check a composed tree: hyper-parameters at the root, and the keys ``RUN_KEYS``.

    ``name_job`` turns the name of a sweep into that of one of its runs. Raise ``NipError`` if the
    experiment cannot be run as requested.
    """
    hyper_params = HyperParameters.from_dict(
        {name: value for name, value in tree.items() if name not in RUN_KEYS}
    )
    settings = ExperimentSettings.from_dict(tree.get("settings", {}))
    resume = _one_of("resume", tree.get("resume", "auto"), get_args(ResumePolicy))
    dry_run = _one_of("dry_run", tree.get("dry_run", False), (True, False))
    num_seeds = tree.get("num_parallel_seeds", 1)
    check_num_seeds(num_seeds)
    run_id, generated = tree.get("run_id"), None
    if run_id is None:
        generated = name_job(new_run_id(hyper_params))
        check_run_id(generated)
    else:
        check_run_id(run_id)
        run_id = name_job(run_id)
    if num_seeds == 1:
        return Request(check(hyper_params, settings, run_id, resume), dry_run)
    seeds = check_seeds(
        hyper_params, num_seeds, settings, run_id, resume, generated_run_id=generated
    )
    return Request(seeds[0], dry_run, seeds)


def run_request(request: Request, name_job: Callable[[str], str] = lambda run_id: run_id) -> None:
    """Run an experiment, or report it; ``name_job`` names one run of a sweep.

    Raises
    ------
    SystemExit
        With a message, and exit code 2 after a user's error, 130 after Ctrl-C, and 75 after another
        signal that asks to stop.
    """
    if request.dry_run:
        with plain_messages():
            _report(request)
        return
    announce_lost_output()
    opened: list[str] = []
    if request.seeds:
        with plain_messages(lambda: how_to_resume_seeds(request.seeds, opened)):
            results = run_checked_seeds(request.seeds, on_open=opened.append)
        if request.experiment.settings.progress:
            print(f"Runs of all seeds: {', '.join(str(result.folder) for result in results)}")
        return
    experiment = request.experiment
    if experiment.run_id is None:
        name = name_job(new_run_id(experiment.hyper_params))
        experiment = replace(experiment, generated_run_id=name)
    with plain_messages(lambda: how_to_resume(experiment, *opened)):
        run_checked(experiment, on_open=opened.append)


def how_to_resume(experiment: CheckedExperiment, run_id: str | None = None) -> str:
    """Return the message after a signal that says where the run lies and how to resume it.

    ``run_id`` is the name under which the run was opened; None if it was not yet.
    """
    run_id = run_id or experiment.run_id
    folder = Path(experiment.settings.runs_dir) / str(run_id)
    if run_id is None or not folder.exists():
        return stopped_early()
    return (
        f"Stopped. The run so far is stored in {folder}; to resume it, give the same command again "
        f"with run_id={run_id}"
    )


def how_to_resume_seeds(seeds: Sequence[CheckedExperiment], opened: Sequence[str]) -> str:
    """Return the message after a signal for runs that train together, given those with a folder."""
    if not opened:
        return stopped_early()
    first = seeds[0]
    name = str(first.run_id or first.generated_run_id)
    name = name.removesuffix(seed_suffix(first.hyper_params))
    folder = Path(first.settings.runs_dir) / f"{name}{SEED_SUFFIX}..."
    return (
        f"Stopped. The {len(opened)} runs so far are stored in {folder}; to resume them, give the "
        f"same command again with run_id={name}"
    )


def _report(request: Request) -> None:
    if not launched_ranks().is_first:
        return
    if request.seeds:
        plan, *_ = prepare_seeds(request.seeds)
    else:
        plan = prepare_checked(request.experiment)
    # rich takes a while to import.
    from nip.command_line.report import print_plan

    print_plan(request.experiment.hyper_params, plan, num_seeds=max(len(request.seeds), 1))


def _one_of(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    """Return a value that equals one of the choices and has its type."""
    for choice in choices:
        if value == choice and type(value) is type(choice):
            return value
    known = [str(choice).lower() if isinstance(choice, bool) else choice for choice in choices]
    suggestion = did_you_mean(str(value), known)
    message = f"{name} must be one of {', '.join(known)}, got {shown(value)}. {suggestion}"
    raise ParameterError(message.strip())
