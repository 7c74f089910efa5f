"""Scenario instance: all built parts of one experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nip.protocols.handler import ProtocolHandler

if TYPE_CHECKING:
    from nip.scenario_base.batch_shape import BatchShape
    from nip.scenario_base.combined_agents import CombinedAgents
    from nip.scenario_base.data import TensorDataset
    from nip.scenario_base.environment import TensorDictEnvironment
    from nip.scenario_base.game import Game
    from nip.scenario_base.normalization import ObservationNormalizer
    from nip.scenario_base.scenario import Scenario
    from nip.scenario_base.text.agent import TextAgent
    from nip.scenario_base.text.datapoint import TextDataset
    from nip.scenario_base.text.dialogue_rules import DialogueRules
    from nip.scenario_base.text.scenario import TextScenario
    from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup


@dataclass
class ScenarioInstance:
    """Parts of an experiment that a trainer receives.

    Those of networks and of language models are subclasses.
    """

    protocol_handler: ProtocolHandler
    """Timetable, visibility and rewards."""

    scenario: Any
    """The task."""

    train_dataset: Any
    """Training split."""

    test_dataset: Any
    """Test split."""

    agents: Any
    """The agents."""

    def continue_run(self, digests: Mapping[str, str]) -> str | None:
        """Adapt to a run that is continued, given the digests of its first start.

        Return a note to the user if the run goes on in another way than a new one.
        """
        return None

    def digests(self) -> dict[str, str]:
        """Return digests, by name, of all data that influence training.

        By default those of the datasets that have a method ``fingerprint``.
        """
        datasets = {"train dataset": self.train_dataset, "test dataset": self.test_dataset}
        return {n: each.fingerprint() for n, each in datasets.items() if _has_fingerprint(each)}


@dataclass
class TensorDictScenarioInstance(ScenarioInstance):
    """Parts of an experiment whose agents are networks."""

    scenario: Scenario
    """The task."""

    train_dataset: TensorDataset
    """Training split."""

    test_dataset: TensorDataset
    """Test split."""

    agents: CombinedAgents
    """The agents."""

    normalizer: ObservationNormalizer
    """Normalises observations; shared by both environments."""

    batch_shape: BatchShape
    """Environments and steps of one iteration."""

    train_environment: TensorDictEnvironment
    """Environment of the training split."""

    test_environment: TensorDictEnvironment
    """Environment of the test split."""

    def digests(self) -> dict[str, str]:
        """Return the digest of the training split."""
        return {"train dataset": self.train_dataset.fingerprint()}


@dataclass
class GameInstance(ScenarioInstance):
    """Parts of an experiment whose agents are the players of a game, without datasets."""

    agents: CombinedAgents
    """The players."""

    game: Game
    """The game."""

    normalizer: ObservationNormalizer
    """Stored with the players as for all networks; there are no observations."""


@dataclass
class PureTextScenarioInstance(ScenarioInstance):
    """Parts of an experiment whose agents are language models."""

    scenario: TextScenario
    """The task."""

    rules: DialogueRules
    """Prompts, visibility and parsing of the dialogues."""

    train_dataset: TextDataset
    """Training split."""

    test_dataset: TextDataset
    """Test split."""

    agents: dict[str, TextAgent]
    """The agents by name, in the order of the protocol."""

    shared_model_groups: dict[str, PureTextSharedModelGroup]
    """Groups of agents that share a model, by name."""

    def continue_run(self, digests: Mapping[str, str]) -> str | None:
        """Show messages in the form in which the run began, if an earlier version began it."""
        unquoted = replace(
            self.rules,
            quotes_messages=False,
            # Prompts state the number of messages, and the run has answers to its own.
            episode=replace(self.rules.episode, asks_all_writers=True),
        )
        if not self.rules.quotes_messages or digests.get("prompts") != unquoted.digest:
            return None
        self.rules = unquoted
        return (
            "The run was started by an earlier version of nip, which did not mark the lines of "
            "other agents' messages, so that an agent could imitate labels. It is continued in "
            "that form. For the present form, choose another run_id."
        )

    def digests(self) -> dict[str, str]:
        """Return the digests of both splits and of the prompts."""
        return {
            "train dataset": self.train_dataset.fingerprint(),
            "test dataset": self.test_dataset.fingerprint(),
            "prompts": self.rules.digest,
        }


def _has_fingerprint(dataset: object) -> bool:
    return callable(getattr(dataset, "fingerprint", None))
