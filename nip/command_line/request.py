"""What a command line asks for, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from nip.command_line.defaults import RUN_KEYS
from nip.errors import ParameterError, did_you_mean
from nip.experiment.base_run import apply_base_run
from nip.experiment.checks import check_experiment
from nip.experiment.loaded_agents import apply_agent_checkpoints
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run_store import ResumePolicy
from nip.run_store.run_id import check_run_id


@dataclass(frozen=True)
class Request:
    """What a command line asks for."""

    hyper_params: HyperParameters
    """What is to be run, with what was taken from other runs."""

    settings: ExperimentSettings
    """How and where to run it."""

    run_id: str | None
    """Name of the run; None to make one."""

    resume: ResumePolicy
    """What to do if the run exists, or does not."""

    dry_run: bool
    """Whether only to report what would be run."""


def read_request(tree: Mapping[str, Any]) -> Request:
    """Check a composed tree, and that the parts of the experiment fit each other.

    Parameters
    ----------
    tree : Mapping[str, Any]
        Hyper-parameters at the root, beside the keys of ``RUN_KEYS``.

    Raises
    ------
    NipError
        If the experiment cannot be run as asked.
    """
    hyper_params = HyperParameters.from_dict(
        {name: value for name, value in tree.items() if name not in RUN_KEYS}
    )
    run_id = None if tree["run_id"] is None else str(tree["run_id"])
    if run_id is not None:
        check_run_id(run_id)
    settings = ExperimentSettings.from_dict(tree["settings"])
    hyper_params = apply_base_run(hyper_params, settings)
    request = Request(
        hyper_params=apply_agent_checkpoints(hyper_params, settings, run_id),
        settings=settings,
        run_id=run_id,
        resume=_one_of("resume", tree["resume"], get_args(ResumePolicy)),
        dry_run=_one_of("dry_run", tree["dry_run"], (True, False)),
    )
    check_experiment(request.hyper_params, request.settings)
    return request


def _one_of(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    """Give a value that is one of the choices, of the same type."""
    for choice in choices:
        if value == choice and type(value) is type(choice):
            return value
    known = [str(choice).lower() if isinstance(choice, bool) else choice for choice in choices]
    suggestion = did_you_mean(str(value), known)
    message = f"{name} must be one of {', '.join(known)}, got {value!r}. {suggestion}"
    raise ParameterError(message.strip())
