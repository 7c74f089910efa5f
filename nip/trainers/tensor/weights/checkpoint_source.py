"""Location of the other run from which an agent takes its initial weights."""

import importlib
import os
from pathlib import Path
from typing import Any

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import AgentParameters
from nip.run_store.run_id import check_run_id, describe_existing, is_run_folder


def source_folder(name: str, params: AgentParameters, settings: ExperimentSettings) -> Path:
    """Return the folder of the other run, downloading a checkpoint into ``runs_dir`` if necessary.

    The fields ``checkpoint_*`` identify the run. A folder with a downloaded checkpoint has its
    files and ``hyper_params.yaml``.

    Raises
    ------
    ParameterError
        If the run does not exist, or cannot be downloaded.
    """
    assert params.checkpoint_run_id, "the parameters require the name of a run"
    if params.checkpoint_project is not None:
        return _fetch(name, params, settings)
    check_run_id(params.checkpoint_run_id, f"agents.{name}.checkpoint_run_id")
    folder = Path(settings.runs_dir) / params.checkpoint_run_id
    if not is_run_folder(folder):
        raise ParameterError(
            f"agents.{name}.checkpoint_run_id must name a run in settings.runs_dir, got "
            f"{params.checkpoint_run_id!r}. {describe_existing(folder.name, folder.parent)} A run "
            f"at Weights & Biases needs agents.{name}.checkpoint_project too."
        )
    return folder


def _fetch(name: str, params: AgentParameters, settings: ExperimentSettings) -> Path:
    """Download a checkpoint that the callback ``wandb`` uploaded, unless it is in the cache."""
    entity = params.checkpoint_entity or os.environ.get("WANDB_ENTITY")
    version = str(params.checkpoint_version)
    alias = f"iteration_{int(version):06d}" if version.isdecimal() else version
    artifact_name = f"{params.checkpoint_run_id}-checkpoint"
    place = "/".join(part for part in (entity, params.checkpoint_project) if part)
    wandb = _import_wandb(name)
    try:
        # With prompt=True it would ask for the key on the terminal.
        if not wandb.login(prompt=False):
            raise wandb.errors.AuthenticationError("you are not logged in")
        artifact = wandb.Api().artifact(f"{place}/{artifact_name}:{alias}", type="model")
        cache = Path(settings.runs_dir) / ".cache" / "wandb"
        folder = cache / place / f"{artifact_name}-{artifact.version}"
        artifact.download(root=str(folder))
    except (wandb.errors.Error, ValueError, OSError) as error:
        raise ParameterError(
            f"agents.{name}: {place}/{artifact_name}:{alias} could not be fetched from Weights & "
            f"Biases: {error}. Run wandb login, and check checkpoint_entity, checkpoint_project, "
            "checkpoint_run_id and checkpoint_version; only runs with log_checkpoints=True in "
            "their callback wandb have sent any."
        ) from error
    return folder


def _import_wandb(name: str) -> Any:
    try:
        return importlib.import_module("wandb")
    except ImportError as error:
        raise ParameterError(
            f"agents.{name}.checkpoint_project needs the package wandb, which is not "
            f"installed. Run pip install 'nip[wandb]', or set agents.{name}.checkpoint_project="
            "None to use a run in settings.runs_dir."
        ) from error
