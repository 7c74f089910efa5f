"""Base class of protocols: agents, channels, timetable and rewards as look-up tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from nip.errors import ProtocolError
from nip.parameters import HyperParameters, protocol_specs
from nip.parameters.protocols import num_rounds
from nip.protocols.rules import VERIFIER, ProtocolRules
from nip.protocols.rules_check import check_rules
from nip.protocols.zero_knowledge import with_zero_knowledge

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nip.protocols.tensor_protocol import TensorProtocol


class ProtocolHandler(ABC):
    """Agents, channels, visibility, timetable and rewards of one experiment's protocol.

    A protocol is a subclass whose ``make_rules`` states all of this as data. The rules are checked
    and compiled into tables on construction; at run time the tables are only looked up.

    Parameters
    ----------
    hyper_params : HyperParameters
        Hyper-parameters of the experiment.

    Raises
    ------
    ProtocolError
        If the rules contradict themselves.
    """

    name: ClassVar[str] = ""
    """Name under which the protocol is registered; set by ``register_protocol``."""

    agent_names: tuple[str, ...]
    """Names of all agents, in the order of every agent axis."""

    prover_names: tuple[str, ...]
    """Names of the agents with "prover" in their names."""

    verifier_names: tuple[str, ...]
    """Names of the agents whose decision has an effect."""

    channel_names: tuple[str, ...]
    """Names of all channels, in the order of every channel axis."""

    prover_goals: dict[str, int]
    """The decision for which each prover argues, 0 (reject) or 1 (accept), by its rewards, unless
    these are shared. Provers whose own table of rewards favours neither are left out."""

    max_message_rounds: int
    """Number of rounds in the message history, ``T``."""

    num_episode_rounds: int
    """Maximum number of rounds of an episode; at most ``T``."""

    min_message_rounds: int
    """Rounds that must be played before a decision counts."""

    visibility: NDArray[np.bool_]
    """Which agent sees which channel, (agent, channel)."""

    active: NDArray[np.bool_]
    """Which agent writes on which channel, (variant, round, agent, channel)."""

    can_decide: NDArray[np.bool_]
    """Which agent may decide, (variant, round, agent)."""

    closes: NDArray[np.bool_]
    """Which channels the decision of an agent closes, (agent, channel)."""

    decided_reward: NDArray[np.float64]
    """Rewards in the round of the decision, (agent, label, decision)."""

    terminated_reward: NDArray[np.float64]
    """Rewards in the last round if nothing was decided, (agent,)."""

    no_guess_reward: NDArray[np.float64]
    """Rewards in a round in which the verifier could have decided but did not, (agent,)."""

    def __init__(self, hyper_params: HyperParameters) -> None:
        self.hyper_params = hyper_params
        self.common = hyper_params.protocol_common
        title = self.name or type(self).__name__
        rules = self.make_rules()
        check_rules(title, rules, self._group_of_rounds())
        self._check_agents_of_spec(rules)
        if self.common.zero_knowledge:
            rules = with_zero_knowledge(title, rules, hyper_params.zk_protocol)
        self.rules = rules
        self.agent_names = tuple(rules.agents)
        self.prover_names = rules.provers
        self.verifier_names = tuple(name for name in rules.agents if name in rules.closed_by)
        self.channel_names = tuple(rules.channels)
        self.prover_goals = rules.goals()
        self.max_message_rounds = rules.max_message_rounds
        self.num_episode_rounds = rules.num_rounds
        self.min_message_rounds = rules.min_message_rounds
        self.force_guess = self.common.force_guess
        # Imported here so that protocols can be listed and their names checked without NumPy.
        from nip.protocols.compilation import compile_rules

        for name, table in compile_rules(rules, self.common)._asdict().items():
            setattr(self, name, table)

    def _group_of_rounds(self) -> str:
        """Return the name of the group of parameters with the numbers of rounds; empty if none."""
        is_chosen = self.name == self.hyper_params.interaction_protocol
        return num_rounds(self.hyper_params)[0].partition(".")[0] if is_chosen else ""

    def _check_agents_of_spec(self, rules: ProtocolRules) -> None:
        """Refuse rules with other agents than the class was registered with."""
        name = vars(type(self)).get("name")  # Not that of a registered base class.
        stated = None if name is None else protocol_specs[name].agents
        if stated is not None and stated != tuple(rules.agents):
            raise ProtocolError(
                f"The protocol {name!r} is registered with agents={stated!r}, but its rules have "
                f"{tuple(rules.agents)!r}. Register it with the agents of its rules."
            )

    @abstractmethod
    def make_rules(self) -> ProtocolRules:
        """Return the rules of the protocol, given ``self.hyper_params`` and ``self.common``."""

    def make_tensor_protocol(self, device: torch.device | str = "cpu") -> TensorProtocol:
        """Return the tables as tensors, for the environment.

        Parameters
        ----------
        device : torch.device or str
            Device of the tensors.

        Returns
        -------
        tensor_protocol : TensorProtocol
            A subclass of ``TensorProtocol`` if the step of the protocol cannot be expressed by
            tables.
        """
        # Imported here so that a protocol can be checked without PyTorch.
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
        """Number of timetables, of which the episode seed chooses one."""
        return len(self.active)

    @property
    def max_verifier_questions(self) -> int:
        """Maximum number of rounds of an episode in which the verifier writes."""
        verifier = self.agent_names.index(VERIFIER)
        return int(self.can_decide[..., verifier].sum(axis=-1).max())

    @property
    def stackelberg_sequence(self) -> tuple[tuple[str, ...], ...]:
        """Groups of agents, each sorted by name; the verifiers lead, all others follow."""
        others = set(self.agent_names) - set(self.verifier_names)
        groups = (tuple(sorted(self.verifier_names)), tuple(sorted(others)))
        return tuple(group for group in groups if group)

    @property
    def reward_mid_points(self) -> dict[str, float]:
        """Mean reward of each agent for a decision over uniform labels and decisions."""
        return {
            name: float(table.mean())
            for name, table in zip(self.agent_names, self.decided_reward, strict=True)
        }

    def variant(self, seed: int) -> int:
        """Return the index of the timetable that an episode seed chooses."""
        return seed % self.num_variants

    def is_agent_active(self, agent: str, channel: str, round: int, seed: int) -> bool:
        """Return whether an agent writes on a channel in one round of an episode."""
        agent_index = self.agent_names.index(agent)
        channel_index = self.channel_names.index(channel)
        return bool(self.active[self.variant(seed), round, agent_index, channel_index])

    def can_agent_decide(self, agent: str, round: int, seed: int) -> bool:
        """Return whether an agent may decide in one round of an episode."""
        return bool(self.can_decide[self.variant(seed), round, self.agent_names.index(agent)])

    def active_agents_by_channel(self, round: int, seed: int) -> dict[str, tuple[str, ...]]:
        """Return the agents that write on each channel in one round of an episode.

        A channel on which no agent writes has an empty tuple.
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
        """Return the channels on which each agent writes in one round of an episode.

        An agent that does not write has an empty tuple.
        """
        by_channel = self.active_agents_by_channel(round, seed)
        return {
            agent: tuple(channel for channel, agents in by_channel.items() if agent in agents)
            for agent in self.agent_names
        }

    def views(self, agent: str) -> tuple[tuple[int, ...], ...]:
        """Return the indices of the channels that an agent sees, in groups that it reads apart.

        An agent has several groups if it plays copies of an exchange with the same strategy.
        """
        index = {name: position for position, name in enumerate(self.channel_names)}
        return tuple(tuple(index[name] for name in view) for view in self.rules.views(agent))

    def visible_channels(self, agent: str) -> tuple[str, ...]:
        """Return the names of the channels that an agent sees."""
        return self._visible_channels[agent]

    @cached_property
    def _visible_channels(self) -> dict[str, tuple[str, ...]]:
        return {
            agent: tuple(name for name, seen in zip(self.channel_names, row, strict=True) if seen)
            for agent, row in zip(self.agent_names, self.visibility.tolist(), strict=True)
        }
