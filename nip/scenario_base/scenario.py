"""Base class of scenarios for networks: their data and the parts of their agents."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from nip.errors import PluginError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.types import DataType
from nip.scenario_base.agent import (
    LegalityRule,
    RandomAgentBody,
    RandomPolicyHead,
    ZeroValueHead,
)
from nip.scenario_base.agents import AgentBody, AgentContext, PolicyHead, SoloHead, ValueHead
from nip.scenario_base.data import TensorDataset


class Scenario(ABC):
    """A task for networks. A subclass names the classes of its agents' parts as class variables."""

    data: ClassVar[DataType] = "tensordict"
    """Questions are tensors."""

    name: ClassVar[str] = ""
    """Name under which the scenario is registered; set by ``register_scenario``."""

    message_key: ClassVar[str]
    """Key of the action that chooses the symbols of a message."""

    body: ClassVar[type[AgentBody]]
    """Class of the body, which maps observations to representations."""

    policy_head: ClassVar[type[PolicyHead]]
    """Class of the head that computes the logits of messages and decisions."""

    value_head: ClassVar[type[ValueHead]]
    """Class of the head that estimates the return."""

    solo_head: ClassVar[type[SoloHead] | None] = None
    """Class of the head for solo training; None if the scenario has no solo task."""

    def __init__(self, hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
        self.hyper_params = hyper_params
        self.settings = settings

    @abstractmethod
    def load_dataset(self, split: str) -> TensorDataset:
        """Return the ``train`` or ``test`` split."""

    def legality(self) -> LegalityRule | None:
        """Return the rule for the symbols that random agents may choose; None allows all."""
        return None

    def build_body(self, context: AgentContext) -> AgentBody:
        """Build the body of an agent."""
        return (
            RandomAgentBody(context)
            if context.params.is_random
            else self._class_of("body")(context)
        )

    def build_policy_head(self, context: AgentContext) -> PolicyHead:
        """Build the policy head of an agent."""
        if context.params.is_random:
            return RandomPolicyHead(context, self.legality())
        return self._class_of("policy_head")(context)

    def build_value_head(self, context: AgentContext) -> ValueHead:
        """Build the value head of an agent."""
        if context.params.is_random:
            return ZeroValueHead(context)
        return self._class_of("value_head")(context)

    def build_solo_head(self, context: AgentContext) -> SoloHead | None:
        """Build the solo head; None for random agents and scenarios without a solo task."""
        if self.solo_head is None or context.params.is_random:
            return None
        return self.solo_head(context)

    def _class_of(self, part: str) -> Callable[[AgentContext], Any]:
        """Return the class of a part.

        Raises
        ------
        PluginError
            If the scenario does not name it.
        """
        found: Callable[[AgentContext], Any] | None = getattr(self, part, None)
        if found is None:
            raise PluginError(
                f"scenario={self.name!r} names no {part}, which its agents need. Set {part} of "
                f"{type(self).__name__} to a class of nip.scenario_base.agents, or override "
                f"build_{part}."
            )
        return found
