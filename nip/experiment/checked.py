"""Experiments that have been checked, with everything that the checks built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nip.errors import ResumeError
from nip.experiment.base_run import apply_base_run
from nip.experiment.loaded_agents import apply_agent_checkpoints
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run_store import ResumePolicy
from nip.run_store.run_id import check_run_id, describe_existing

if TYPE_CHECKING:
    from nip.experiment.text_parts import TextParts
    from nip.protocols import ProtocolHandler


@dataclass(frozen=True)
class CheckedExperiment:
    """An experiment that passed all checks, ready to be run once."""

    hyper_params: HyperParameters
    """Complete hyper-parameters, including values taken over from other runs."""

    settings: ExperimentSettings
    """How and where to run."""

    run_id: str | None
    """Name of the run; None to create a run with a generated name."""

    resume: ResumePolicy
    """Whether an existing run may be resumed, and a new one started."""

    protocol: ProtocolHandler
    """The compiled protocol."""

    text_parts: TextParts | None
    """Agents and dialogue rules of an experiment with language models; None for networks."""

    generated_run_id: str | None = None
    """Name of a run without ``run_id``, which gets a number if it is taken; None: by the time."""


def check(
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    run_id: str | None = None,
    resume: ResumePolicy = "auto",
) -> CheckedExperiment:
    """Complete hyper-parameters from other runs, and check everything short of building.

    The group ``base_run``, and agents that start from a checkpoint, name the other runs.
    ``resume`` is only stored in the result.

    Raises
    ------
    NipError
        If the experiment cannot be run as requested.
    """
    if run_id is not None:
        check_run_id(run_id)
    elif resume == "must":
        raise ResumeError(
            "resume=must needs the run_id of the run to resume, got none. "
            f"{describe_existing('', Path(settings.runs_dir))} Give run_id=..., or use resume=auto."
        )
    hyper_params = apply_base_run(hyper_params, settings)
    hyper_params = apply_agent_checkpoints(hyper_params, settings, run_id)
    # Protocols import NumPy, which a program that only imports ``nip`` does not need.
    from nip.experiment.checks import check_experiment

    protocol, text_parts = check_experiment(hyper_params, settings)
    return CheckedExperiment(hyper_params, settings, run_id, resume, protocol, text_parts)
