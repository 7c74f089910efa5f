"""All built parts of one experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nip.protocols.handler import ProtocolHandler

if TYPE_CHECKING:
    from nip.scenario_base.batch_shape import BatchShape
    from nip.scenario_base.combined_agents import CombinedAgents
    from nip.scenario_base.data import TensorDataset
    from nip.scenario_base.environment import TensorDictEnvironment
    from nip.scenario_base.normalization import ObservationNormalizer
    from nip.scenario_base.scenario import Scenario
    from nip.scenario_base.text.agent import TextAgent
    from nip.scenario_base.text.datapoint import TextDataset
    from nip.scenario_base.text.dialogue_rules import DialogueRules
    from nip.scenario_base.text.scenario import TextScenario
    from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup


@dataclass
class ScenarioInstance:
    """What the factory built, and what a trainer receives; one subclass for each kind of data."""

    protocol_handler: ProtocolHandler
    """Who speaks when, who hears it, and who is paid."""

    def digests(self) -> dict[str, str]:
        """Return digests, by name, of all files that decide what is learnt."""
        raise NotImplementedError


@dataclass
class TensorDictScenarioInstance(ScenarioInstance):
    """The parts of an experiment whose agents are networks."""

    scenario: Scenario
    """The task."""

    train_dataset: TensorDataset
    """Questions to learn from."""

    test_dataset: TensorDataset
    """Questions to be tested on."""

    agents: CombinedAgents
    """The agents."""

    normalizer: ObservationNormalizer
    """Scales what the agents read; shared by both environments."""

    batch_shape: BatchShape
    """Environments and steps of one iteration."""

    train_environment: TensorDictEnvironment
    """Where the agents learn."""

    test_environment: TensorDictEnvironment
    """Where the agents are tested."""

    def digests(self) -> dict[str, str]:
        """Return the digest of the data that are learnt from."""
        return {"train dataset": self.train_dataset.fingerprint()}


@dataclass
class PureTextScenarioInstance(ScenarioInstance):
    """The parts of an experiment whose agents are language models."""

    scenario: TextScenario
    """The task."""

    rules: DialogueRules
    """How the agents converse."""

    train_dataset: TextDataset
    """Questions to learn from."""

    test_dataset: TextDataset
    """Questions to be tested on."""

    agents: dict[str, TextAgent]
    """The agents by name, in the order of the protocol."""

    shared_model_groups: dict[str, PureTextSharedModelGroup]
    """The models by the names of the groups of agents that share them."""

    def digests(self) -> dict[str, str]:
        """Return the digests of the data and of the prompts."""
        return {
            "train dataset": self.train_dataset.fingerprint(),
            "test dataset": self.test_dataset.fingerprint(),
            "prompts": self.rules.digest,
        }
