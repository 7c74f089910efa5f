"""Saving single agents in the layout of models on the Hugging Face Hub."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from nip.parameters import HyperParameters
from nip.scenario_base.agent import Agent, AgentOutput
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.normalization import NORMALIZED_KEYS, ObservationNormalizer
from nip.utils.files import make_folder, write_atomically

WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
"""File names of ``huggingface_hub.PyTorchModelHubMixin``."""


class PretrainedAgent(nn.Module):
    """An agent together with the scaling of its observations.

    Parameters
    ----------
    agent : Agent
        The agent.
    normalizer : ObservationNormalizer
        Scaling with which the agent was trained.
    """

    def __init__(self, agent: Agent, normalizer: ObservationNormalizer) -> None:
        super().__init__()
        self.agent = agent
        self.normalizer = normalizer

    def forward(self, observation: Mapping[str, Tensor]) -> AgentOutput:
        """Return logits and value for a batch of unscaled observations."""
        scaled = {
            name: self.normalizer(name, value) if name in NORMALIZED_KEYS else value
            for name, value in observation.items()
        }
        output: AgentOutput = self.agent(scaled)
        return output


def save_pretrained(
    folder: Path | str,
    agents: CombinedAgents,
    normalizer: ObservationNormalizer,
    hyper_params: HyperParameters,
) -> None:
    """Write a folder for each agent, with ``model.safetensors`` and ``config.json``.

    ``PyTorchModelHubMixin`` writes and reads the same layout, so ``hf upload NAME FOLDER`` shares a
    folder. ``nip.pretrained.load_pretrained`` loads an agent from its folder. Existing files of the
    same names are replaced.
    """
    for _, name, agent in agents:
        config = {
            "library_name": "nip",
            "agent_name": name,
            "message_shape": list(agent.context.message_shape),
            "observation_shapes": {
                key: list(shape) for key, shape in agent.context.observation_shapes.items()
            },
            "hyper_params": hyper_params.to_dict(stamp=True),
        }
        model = PretrainedAgent(agent, normalizer)
        tensors = {
            key: value.detach().cpu().contiguous().clone()
            for key, value in model.state_dict().items()
        }
        target = Path(folder) / name
        make_folder(target)
        write_atomically(target / WEIGHTS_FILE, save(tensors, metadata={"format": "pt"}))
        write_atomically(target / CONFIG_FILE, json.dumps(config, indent=2) + "\n")
