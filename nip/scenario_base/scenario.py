"""What a scenario names: its data and the parts of its agents."""

from abc import ABC, abstractmethod
from typing import ClassVar

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.scenario_base.agent import (
    LegalityRule,
    RandomAgentBody,
    RandomPolicyHead,
    ZeroValueHead,
)
from nip.scenario_base.agents import AgentBody, AgentContext, PolicyHead, SoloHead, ValueHead
from nip.scenario_base.data import TensorDataset


class Scenario(ABC):
    """A task. A subclass names its parts, so that a reader sees all of them in one place."""

    message_key: ClassVar[str]
    """Name of the action which chooses a symbol."""

    body: ClassVar[type[AgentBody]]
    """Turns observations into representations."""

    policy_head: ClassVar[type[PolicyHead]]
    """Gives the logits of messages and decisions."""

    value_head: ClassVar[type[ValueHead]]
    """Estimates the return."""

    solo_head: ClassVar[type[SoloHead] | None] = None
    """Decides alone; None where the scenario has no such task."""

    def __init__(self, hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
        self.hyper_params = hyper_params
        self.settings = settings

    @abstractmethod
    def load_dataset(self, split: str) -> TensorDataset:
        """Return the ``train`` or ``test`` split."""

    def legality(self) -> LegalityRule | None:
        """Return which symbols agents may choose that play at random; None for all."""
        return None

    def build_body(self, context: AgentContext) -> AgentBody:
        """Build the body of an agent."""
        return RandomAgentBody(context) if context.params.is_random else self.body(context)

    def build_policy_head(self, context: AgentContext) -> PolicyHead:
        """Build the policy head of an agent."""
        if context.params.is_random:
            return RandomPolicyHead(context, self.legality())
        return self.policy_head(context)

    def build_value_head(self, context: AgentContext) -> ValueHead:
        """Build the value head of an agent."""
        return ZeroValueHead(context) if context.params.is_random else self.value_head(context)

    def build_solo_head(self, context: AgentContext) -> SoloHead | None:
        """Build the solo head of an agent; None where it cannot have one."""
        if self.solo_head is None or context.params.is_random:
            return None
        return self.solo_head(context)
