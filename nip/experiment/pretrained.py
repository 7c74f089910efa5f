"""Loading agents that ``save_pretrained`` wrote, independent of their run."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from nip.errors import CheckpointError, NipWarning, ParameterError
from nip.experiment.tensor_parts import build_agents
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.protocols.registry import build_protocol_handler
from nip.scenario_base.data import TensorDataset
from nip.scenario_base.normalization import ObservationNormalizer
from nip.scenario_base.registry import scenario_registry
from nip.trainers.registry import trainer_registry
from nip.trainers.tensor.weights.pretrained_agents import CONFIG_FILE, WEIGHTS_FILE, PretrainedAgent
from nip.utils.exact_json import load_strictly
from nip.utils.files import regular


def load_pretrained(folder: Path | str, device: torch.device | str = "cpu") -> PretrainedAgent:
    """Build an agent with the weights that ``save_pretrained`` wrote, in evaluation mode.

    Parameters
    ----------
    folder : Path | str
        The folder of one agent.
    device : torch.device | str
        Device of the weights.

    Raises
    ------
    CheckpointError
        If one of the files is missing or unreadable.
    ParameterError
        If weights and configuration do not belong together.
    """
    folder = Path(folder)
    try:
        config = load_strictly(regular(folder / CONFIG_FILE).read_text(encoding="utf-8"))
        weights = load_file(regular(folder / WEIGHTS_FILE))
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder} cannot be read as an agent: {error}. Use the folder of one agent that "
            "save_pretrained wrote."
        ) from error
    model = build_pretrained(config)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ParameterError(
            f"{folder / WEIGHTS_FILE} does not match {CONFIG_FILE} in the same folder: {error} "
            "Use both files of one save_pretrained."
        ) from error
    return model.to(device).eval()


def build_pretrained(config: Mapping[str, Any]) -> PretrainedAgent:
    """Build an agent with untrained weights from its ``config.json``."""
    with warnings.catch_warnings():
        # These warnings were shown when the agent was trained.
        warnings.simplefilter("ignore", NipWarning)
        hyper_params = HyperParameters.from_dict(config["hyper_params"])
    scenario = scenario_registry[hyper_params.scenario](hyper_params, ExperimentSettings())
    agents = build_agents(
        hyper_params,
        scenario,
        build_protocol_handler(hyper_params),
        _empty_dataset(config),
        trainer_registry[hyper_params.trainer].trainer_type,
    )
    agent = {name: agent for _, name, agent in agents}[config["agent_name"]]
    return PretrainedAgent(agent, ObservationNormalizer())


def _empty_dataset(config: Mapping[str, Any]) -> TensorDataset:
    """Return a dataset without datapoints, because agents need only shapes from the data."""
    # Agents that were saved before there were scenarios with images do not need these shapes.
    shapes = config.get("observation_shapes", {})
    observations = {name: torch.empty(0, *shape) for name, shape in shapes.items()}
    return TensorDataset(observations, torch.empty(0), tuple(config["message_shape"]))
