"""State of a batch of episodes, and the result of a step."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

State = dict[str, Tensor]
"""Observations of a batch of episodes; the first dimension of every tensor is the episode."""


@dataclass(frozen=True)
class Transition:
    """Result of one step; the first dimension of every tensor is the batch of environments."""

    state: State
    """The next observations, before finished episodes are reset."""

    reward: Float[Tensor, "batch agent"]
    """Reward of each agent."""

    done: Bool[Tensor, " batch"]
    """Whether the episode is over."""

    terminated: Bool[Tensor, " batch"]
    """Whether the episode reached its last round without a decision."""

    agent_done: Bool[Tensor, "batch agent"]
    """Whether the protocol has ended for each agent, not counting ``terminated``."""

    verdict: Int[Tensor, " batch"]
    """The decision that took effect, 2 where there was none."""
