"""What can be chosen by name, and as much as must be known of it before anything heavy is imported.

Checking parameters must not import PyTorch. So the facts that the checks need stand here, apart from
the classes that do the work; these are found by the registries of their own packages.
"""

from __future__ import annotations

from dataclasses import dataclass

from nip.parameters.agents import AgentParameters
from nip.parameters.graph_isomorphism import GraphIsomorphismAgentParameters
from nip.parameters.parameters_base import SubParameters
from nip.parameters.toy import ToyAgentParameters
from nip.parameters.types import DataType
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

    agent_parameters: type[AgentParameters]
    """Class of the parameters of its agents."""

    builtin_datasets: tuple[str, ...] | None = None
    """Names of its datasets if they are made on the fly; None if datasets are folders."""


@dataclass(frozen=True)
class ProtocolFacts:
    """What the parameters must know of an interaction protocol."""

    agent_names: tuple[str, ...] | None = None
    """Names of its agents; None if they are not known beforehand."""


trainer_facts: Registry[TrainerFacts] = Registry("trainer")
"""Facts of all trainers by name."""

scenario_facts: Registry[ScenarioFacts] = Registry("scenario")
"""Facts of all scenarios by name."""

protocol_facts: Registry[ProtocolFacts] = Registry("interaction protocol")
"""Facts of all interaction protocols by name."""

parameter_groups: Registry[type[SubParameters]] = Registry("parameter group")
"""Groups of parameters that plugins add to the root of the tree, by the name they have there."""

trainer_facts.register("reinforce", TrainerFacts("tensordict", "reinforce"))
trainer_facts.register("solo_agent", TrainerFacts("tensordict", "solo_agent"))
trainer_facts.register("vanilla_ppo", TrainerFacts("tensordict", "ppo"))

scenario_facts.register(
    "graph_isomorphism", ScenarioFacts("tensordict", GraphIsomorphismAgentParameters)
)
scenario_facts.register(
    "toy", ScenarioFacts("tensordict", ToyAgentParameters, ("cheap_talk", "witness"))
)

protocol_facts.register("adp", ProtocolFacts(("prover", "verifier")))
protocol_facts.register("debate", ProtocolFacts(("prover0", "prover1", "verifier")))
protocol_facts.register("merlin_arthur", ProtocolFacts(("prover0", "prover1", "verifier")))
protocol_facts.register("mnip", ProtocolFacts(("prover0", "prover1", "verifier")))
protocol_facts.register(
    "multi_channel_test", ProtocolFacts(("prover0", "prover1", "prover2", "verifier"))
)
protocol_facts.register("nip", ProtocolFacts(("prover", "verifier")))
protocol_facts.register("solo_verifier", ProtocolFacts(("verifier",)))

ABSENT_TRAINERS: dict[str, DataType] = {
    "pure_text_ei": "text",
    "pure_text_malt": "text",
    "spg": "tensordict",
}
"""Trainers of the published code that are not in this version, for a message that says so."""

ABSENT_SCENARIOS: dict[str, DataType] = {
    "code_validation": "text",
    "image_classification": "tensordict",
}
"""Scenarios of the published code that are not in this version, for a message that says so."""
