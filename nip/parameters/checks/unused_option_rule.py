"""What a rule says about options that change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nip.parameters.agents import AgentParameters

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


@dataclass(frozen=True)
class UnusedOptionRule:
    """Options below the root of the tree that count for nothing under some condition."""

    options: tuple[str, ...]
    """Their dotted names; a group stands for all of its fields."""

    because: str
    """What makes them idle, as it completes ``... has no effect ...``."""

    is_idle: Callable[[HyperParameters], bool]
    """Whether the condition holds."""


@dataclass(frozen=True)
class UnusedAgentOptionRule:
    """Options of an agent that count for nothing under some condition."""

    options: tuple[str, ...]
    """Their dotted names below the agent."""

    because: str
    """What makes them idle, as it completes ``... has no effect ...``."""

    is_idle: Callable[[HyperParameters, Any], bool]
    """Whether the condition holds, given the tree and the parameters of the agent."""

    agent_class: type[AgentParameters] = AgentParameters
    """Class of the agents that the rule is about."""
