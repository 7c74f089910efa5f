"""All built parts of one experiment."""

from dataclasses import dataclass

from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.batch_shape import BatchShape
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.data import TensorDataset
from nip.scenario_base.environment import TensorDictEnvironment
from nip.scenario_base.normalization import ObservationNormalizer
from nip.scenario_base.scenario import Scenario


@dataclass
class ScenarioInstance:
    """What the factory built, and what a trainer receives."""

    scenario: Scenario
    """The task."""

    protocol_handler: ProtocolHandler
    """Who speaks when, who hears it, and who is paid."""

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
