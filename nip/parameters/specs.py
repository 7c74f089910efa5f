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
class TrainerFacts:
    """What the parameters must know of a trainer."""

    data: DataType
    """What the trainer learns from."""

    parameter_group: str | None = None
    """Name of the group of parameters that is the trainer's own, if it has one."""


@dataclass(frozen=True)
class ScenarioFacts:
    """What the parameters must know of a scenario."""

    data: DataType
    """What the scenario is made of."""

    agent_parameters: type[BaseAgentParameters]
    """Class of the parameters of its agents."""

    builtin_datasets: tuple[str, ...] | None = None
    """Names of its datasets if they are made on the fly; None if datasets are folders."""


@dataclass(frozen=True)
class ProtocolFacts:
    """What the parameters must know of an interaction protocol: only that there is one."""


trainer_facts: Registry[TrainerFacts] = Registry("trainer")
"""Facts of all trainers by name."""

scenario_facts: Registry[ScenarioFacts] = Registry("scenario")
"""Facts of all scenarios by name."""

protocol_facts: Registry[ProtocolFacts] = Registry("interaction protocol")
"""Facts of all interaction protocols by name."""

trainer_facts.register("pure_text_ei", TrainerFacts("text", "pure_text_ei"))
trainer_facts.register("reinforce", TrainerFacts("tensordict", "reinforce"))
trainer_facts.register("solo_agent", TrainerFacts("tensordict", "solo_agent"))
trainer_facts.register("vanilla_ppo", TrainerFacts("tensordict", "ppo"))

scenario_facts.register("code_validation", ScenarioFacts("text", CodeValidationAgentParameters))
scenario_facts.register(
    "graph_isomorphism", ScenarioFacts("tensordict", GraphIsomorphismAgentParameters)
)
scenario_facts.register(
    "toy", ScenarioFacts("tensordict", ToyAgentParameters, ("cheap_talk", "witness"))
)

for protocol in get_args(InteractionProtocolType):
    protocol_facts.register(protocol, ProtocolFacts())

ABSENT_TRAINERS: dict[str, DataType] = {
    "pure_text_malt": "text",
    "spg": "tensordict",
}
"""Trainers of the published code that are not in this version, for a message that says so."""

ABSENT_SCENARIOS: dict[str, DataType] = {
    "image_classification": "tensordict",
}
"""Scenarios of the published code that are not in this version, for a message that says so."""
