"""Parameters of the agents that play the toy games."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from nip.parameters.agents import AgentParameters
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import CountOrZero, Positive
from nip.utils.memory_limit import MemoryNeed


@register_parameter_class
@dataclass
class ToyAgentParameters(AgentParameters):
    """A table of action preferences, or a perceptron with one hidden layer."""

    d_hidden: CountOrZero = 0
    """Width of the hidden layer; 0 for none, which makes the policy a table."""

    initial_policy_scale: Positive = 1.0
    """Factor on the initial weights of the policy head; a small one makes the policy uniform."""

    unused_rules: ClassVar = (
        *AgentParameters.unused_rules,
        UnusedOptionRule(
            ("use_orthogonal_initialisation", "orthogonal_initialisation_gain"),
            "with scenario='toy', whose networks use PyTorch's default initialisation",
        ),
    )

    def memory_needs(
        self, at: Callable[[str], str], hyper_params: SubParameters
    ) -> Iterator[MemoryNeed]:
        """State the size of the hidden layer, which reads at least one symbol per message."""
        inputs = hyper_params.get("message_size")
        options = {at("d_hidden"): self.d_hidden, "message_size": inputs}
        yield MemoryNeed("a hidden layer", options, 4 * self.d_hidden * inputs)

    @classmethod
    def construct_test_params(cls) -> Self:
        """Return the smallest network that has a hidden layer."""
        return cls(d_hidden=1)
