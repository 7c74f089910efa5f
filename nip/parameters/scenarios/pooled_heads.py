"""Parameters of heads that read a summary of the whole question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nip.parameters.agents import AgentParameters
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.types import ActivationType, Count


@dataclass
class PooledHeadParameters(AgentParameters):
    """Sizes of the perceptrons that decide, write linear messages, and estimate the value."""

    activation_function: ActivationType = "tanh"
    """Activation function of all heads."""

    d_decider: Count = 16
    """Hidden width of the head that decides."""

    num_decider_layers: Count = 2
    """Number of linear layers of the head that decides; fewer than 2 count as 2."""

    include_round_in_decider: bool = True
    """Give the round as an input to the head that decides."""

    d_linear_message_selector: Count = 16
    """Hidden width of the head that chooses the linear message."""

    num_linear_message_selector_layers: Count = 2
    """Number of linear layers of that head; fewer than 2 count as 2."""

    d_value: Count = 16
    """Hidden width of the head that estimates the value."""

    num_value_layers: Count = 2
    """Number of linear layers of the head that estimates the value; fewer than 2 count as 2."""

    include_round_in_value: bool = True
    """Give the round as an input to the head that estimates the value."""

    unused_rules: ClassVar[tuple[UnusedOptionRule, ...]] = (
        *AgentParameters.unused_rules,
        UnusedOptionRule(
            ("d_linear_message_selector", "num_linear_message_selector_layers"),
            "unless include_linear_message_space=True",
            lambda _, hyper_params: not hyper_params.include_linear_message_space,
        ),
    )
