"""Imitations: agents that are paid for acting like another agent."""

from collections.abc import Mapping
from dataclasses import dataclass

from nip.parameters.protocols import PolicyDistance


@dataclass(frozen=True, kw_only=True)
class Imitation:
    """An agent that is to choose with the probabilities of another one, the model.

    In each round in which the model acts, the probabilities of both are compared: of their symbols
    on corresponding channels and, where the model's decision takes effect, of their decisions.
    Agents are paid for the similarity, the larger the more alike.
    """

    imitator: str
    """The agent that imitates. It has the outputs of an agent that decides, but its decision has no
    effect."""

    model: str
    """The agent that is imitated."""

    channels: Mapping[str, str]
    """Channels on which the model writes, each with the channel of the imitator that corresponds to
    it."""

    distance: PolicyDistance
    """Measure of how different the probabilities are."""

    rewards: Mapping[str, float]
    """Factor of the similarity in the reward of each agent that it concerns."""
