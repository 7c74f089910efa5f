"""The compiled form of a protocol, which everything that plays it looks things up in."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from nip.parameters import HyperParameters
from nip.protocols.rewards import (
    decided_table,
    no_guess_table,
    rewards_of_agents,
    terminated_table,
)
from nip.protocols.rules import VERIFIER, ProtocolRules
from nip.protocols.rules_check import check_rules
from nip.protocols.timetable import compile_active, compile_can_decide, compile_visibility

if TYPE_CHECKING:
    import torch

    from nip.protocols.tensor_protocol import TensorProtocol


class ProtocolHandler(ABC):
    """Agents, channels, visibility, timetable and rewards of one experiment's protocol.

    A protocol is a subclass whose ``make_rules`` states all of this as data. It is checked and
    compiled once, here; at run time there is only looking up.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment.

    Raises
    ------
    ProtocolError
        If the rules contradict themselves.
    """

    name: ClassVar[str] = ""
    """The name under which the protocol is registered; set by ``register_protocol``."""

    agent_names: tuple[str, ...]
    """All agents, in the order of every agent axis."""

    prover_names: tuple[str, ...]
    """The agents with "prover" in their names."""

    verifier_names: tuple[str, ...]
    """The agents that decide."""

    channel_names: tuple[str, ...]
    """All channels, in the order of every channel axis."""

    prover_goals: dict[str, int]
    """The decision for which each prover argues: 0 (reject) or 1 (accept)."""

    max_message_rounds: int
    """Rounds for which the message history has room, ``T``."""

    num_episode_rounds: int
    """Rounds after which an episode ends at the latest; at most ``T``."""

    min_message_rounds: int
    """A decision counts from round ``min_message_rounds - 1`` on, counted from 0."""

    visibility: NDArray[np.bool_]
    """Who sees which channel, (agent, channel)."""

    active: NDArray[np.bool_]
    """Who writes where, (variant, round, agent, channel)."""

    can_decide: NDArray[np.bool_]
    """Who may decide, (variant, round, agent)."""

    decided_reward: NDArray[np.float64]
    """Rewards in the round of the decision, (agent, label, decision)."""

    terminated_reward: NDArray[np.float64]
    """Rewards in the last round if nothing was decided, (agent,)."""

    no_guess_reward: NDArray[np.float64]
    """Rewards in a round in which the verifier could have decided but went on, (agent,)."""

    def __init__(self, hyper_params: HyperParameters) -> None:
        self.hyper_params = hyper_params
        self.common = hyper_params.protocol_common
        rules = self.make_rules()
        check_rules(self.name or type(self).__name__, rules)
        self.rules = rules
        self.agent_names = tuple(rules.agents)
        self.prover_names = rules.provers
        self.verifier_names = (VERIFIER,)
        self.channel_names = tuple(rules.channels)
        self.prover_goals = {name: rules.prover_goals.get(name, 1) for name in self.prover_names}
        self.max_message_rounds = rules.max_message_rounds
        self.num_episode_rounds = rules.num_rounds
        self.min_message_rounds = rules.min_message_rounds
        self.force_guess = self.common.force_guess
        self._compile()

    @abstractmethod
    def make_rules(self) -> ProtocolRules:
        """State the protocol, given ``self.hyper_params`` and ``self.common``."""

    def make_tensor_protocol(self, device: "torch.device | str" = "cpu") -> "TensorProtocol":
        """Put the tables on a device, for environments of tensors.

        Parameters
        ----------
        device : torch.device or str
            Where the tables live.

        Returns
        -------
        tensor_protocol : TensorProtocol
            A protocol whose step cannot be said in tables returns a subclass of
            ``TensorProtocol`` here.
        """
        # Imported here so that a protocol can be named and checked without loading torch.
        from nip.protocols.tensor_protocol import TensorProtocol

        return TensorProtocol(self, device)

    @property
    def num_agents(self) -> int:
        """Number of agents, ``A``."""
        return len(self.agent_names)

    @property
    def num_channels(self) -> int:
        """Number of channels, ``C``."""
        return len(self.channel_names)

    @property
    def num_variants(self) -> int:
        """Number of timetables between which the episode seed chooses."""
        return len(self.active)

    @property
    def max_verifier_questions(self) -> int:
        """Rounds of an episode in which the verifier writes, at most."""
        return int(self.can_decide.any(axis=-1).sum(axis=-1).max())

    @property
    def stackelberg_sequence(self) -> tuple[tuple[str, ...], ...]:
        """Leaders before followers: the verifiers, then all others, by name in each group."""
        others = set(self.agent_names) - set(self.verifier_names)
        groups = (tuple(sorted(self.verifier_names)), tuple(sorted(others)))
        return tuple(group for group in groups if group)

    @property
    def reward_mid_points(self) -> dict[str, float]:
        """Mean reward of each agent for a decision, if labels and decisions are coin flips."""
        return {
            name: float(table.mean())
            for name, table in zip(self.agent_names, self.decided_reward, strict=True)
        }

    def variant(self, seed: int) -> int:
        """Return the timetable which an episode seed chooses."""
        return seed % self.num_variants

    def is_agent_active(self, agent: str, channel: str, round: int, seed: int) -> bool:
        """Whether an agent writes on a channel in one round of an episode."""
        agent_index = self.agent_names.index(agent)
        channel_index = self.channel_names.index(channel)
        return bool(self.active[self.variant(seed), round, agent_index, channel_index])

    def can_agent_decide(self, agent: str, round: int, seed: int) -> bool:
        """Whether an agent may decide in one round of an episode."""
        return bool(self.can_decide[self.variant(seed), round, self.agent_names.index(agent)])

    def active_agents_by_channel(self, round: int, seed: int) -> dict[str, tuple[str, ...]]:
        """Return who writes on each channel in one round of an episode.

        Channels on which nobody writes are there too, with no agents.
        """
        table = self.active[self.variant(seed), round]
        return {
            channel: tuple(
                agent
                for agent_index, agent in enumerate(self.agent_names)
                if table[agent_index, channel_index]
            )
            for channel_index, channel in enumerate(self.channel_names)
        }

    def active_channels_by_agent(self, round: int, seed: int) -> dict[str, tuple[str, ...]]:
        """Return where each agent writes in one round of an episode.

        Agents that do not write are there too, with no channels.
        """
        by_channel = self.active_agents_by_channel(round, seed)
        return {
            agent: tuple(channel for channel, agents in by_channel.items() if agent in agents)
            for agent in self.agent_names
        }

    def visible_channels(self, agent: str) -> tuple[str, ...]:
        """Return the channels which an agent sees."""
        row = self.visibility[self.agent_names.index(agent)]
        return tuple(name for name, seen in zip(self.channel_names, row, strict=True) if seen)

    def _compile(self) -> None:
        rewards = rewards_of_agents(self.rules, self.common)
        self.visibility = compile_visibility(self.rules)
        self.active = compile_active(self.rules)
        self.can_decide = compile_can_decide(self.rules, self.active)
        self.decided_reward = decided_table(rewards)
        self.terminated_reward = terminated_table(rewards)
        self.no_guess_reward = no_guess_table(rewards)
        for table in (
            self.visibility,
            self.active,
            self.can_decide,
            self.decided_reward,
            self.terminated_reward,
            self.no_guess_reward,
        ):
            table.setflags(write=False)
