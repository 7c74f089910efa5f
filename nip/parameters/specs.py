"""What can be chosen by name, with as much as the checks must know of it.

Checking parameters must not import PyTorch. So the facts that the checks need stand here, apart
from the classes that do the work; these are found by the registries of their own packages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from nip.parameters.agents import BaseAgentParameters
from nip.parameters.code_validation import CodeValidationAgentParameters
from nip.parameters.graph_isomorphism import GraphIsomorphismAgentParameters
from nip.parameters.toy import ToyAgentParameters
from nip.parameters.types import DataType, InteractionProtocolType
from nip.registry import Registry


@dataclass(frozen=True)
class TrainerSpec:
    """What the parameters must know of a trainer."""

    data: DataType
    """What the trainer learns from."""

    parameter_group: str | None = None
    """Name of the group of parameters that is the trainer's own, if it has one."""


@dataclass(frozen=True)
class ScenarioSpec:
    """What the parameters must know of a scenario."""

    data: DataType
    """What the scenario is made of."""

    agent_parameters: type[BaseAgentParameters]
    """Class of the parameters of its agents."""

    builtin_datasets: tuple[str, ...] | None = None
    """Names of its datasets if they are made on the fly; None if datasets are folders."""


@dataclass(frozen=True)
class ProtocolSpec:
    """What the parameters must know of an interaction protocol: only that there is one."""


trainer_specs: Registry[TrainerSpec] = Registry("trainer")
"""Facts of all trainers by name."""

scenario_specs: Registry[ScenarioSpec] = Registry("scenario")
"""Facts of all scenarios by name."""

protocol_specs: Registry[ProtocolSpec] = Registry("interaction protocol")
"""Facts of all interaction protocols by name."""

trainer_specs.register("pure_text_ei", TrainerSpec("text", "pure_text_ei"))
trainer_specs.register("reinforce", TrainerSpec("tensordict", "reinforce"))
trainer_specs.register("solo_agent", TrainerSpec("tensordict", "solo_agent"))
trainer_specs.register("vanilla_ppo", TrainerSpec("tensordict", "ppo"))

scenario_specs.register("code_validation", ScenarioSpec("text", CodeValidationAgentParameters))
scenario_specs.register(
    "graph_isomorphism", ScenarioSpec("tensordict", GraphIsomorphismAgentParameters)
)
scenario_specs.register(
    "toy", ScenarioSpec("tensordict", ToyAgentParameters, ("cheap_talk", "witness"))
)

for protocol in get_args(InteractionProtocolType):
    protocol_specs.register(protocol, ProtocolSpec())

ABSENT_TRAINERS: dict[str, DataType] = {
    "pure_text_malt": "text",
    "spg": "tensordict",
}
"""Trainers of the published code that are not in this version, for a message that says so."""

ABSENT_SCENARIOS: dict[str, DataType] = {
    "image_classification": "tensordict",
}
"""Scenarios of the published code that are not in this version, for a message that says so."""
