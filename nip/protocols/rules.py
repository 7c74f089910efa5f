"""Rules of a protocol as data: agents, channels, timetables and rewards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from nip.protocols.imitation import Imitation
from nip.protocols.incentives import side_of

VERIFIER = "verifier"
"""Name of the agent that decides the question."""


class Decision(IntEnum):
    """Decision of the verifier about the question."""

    REJECT = 0
    """The label is 0; ends the episode."""

    ACCEPT = 1
    """The label is 1; ends the episode."""

    CONTINUE = 2
    """No decision yet."""


Turn = Mapping[str, tuple[str, ...]]
"""One round: each agent that writes, with the channels on which it writes."""

Timetable = tuple[Turn, ...]
"""The turns of all rounds from the first on, repeated until the end of the episode."""


@dataclass(frozen=True)
class AgentRewards:
    """Rewards of one agent in a round, by the outcome of the round; 0 in all other rounds."""

    decided: tuple[tuple[float, float], tuple[float, float]]
    """``decided[y][decision]``: the verifier decides 0 or 1 on a question whose label is ``y``."""

    terminated: float = 0.0
    """The last round passes without a decision."""

    no_guess: float = 0.0
    """The verifier could have decided, but did not."""

    @property
    def side(self) -> int | None:
        """The decision that pays more for both labels; None if there is none."""
        return side_of(self.decided)


@dataclass(frozen=True, kw_only=True)
class ProtocolRules:
    """A whole protocol as data."""

    agents: tuple[str, ...]
    """Names, in the order of every agent axis. Those with "prover" in them are provers."""

    channels: Mapping[str, tuple[str, ...]]
    """Each channel, in the order of every channel axis, with the agents that see it."""

    timetables: tuple[Timetable, ...]
    """One timetable for each outcome of the episode seed modulo their number."""

    max_message_rounds: int
    """Number of rounds in the message history."""

    min_message_rounds: int = 1
    """First round in which a decision counts, counted from 1."""

    num_episode_rounds: int | None = None
    """Maximum number of rounds of an episode; None: ``max_message_rounds``."""

    prover_goals: Mapping[str, int] = field(default_factory=dict)
    """The decision (0 or 1) for which a prover is rewarded. Provers that are not listed are
    rewarded for 1, or as their table in ``rewards`` says."""

    rewards: Mapping[str, AgentRewards] = field(default_factory=dict)
    """Agents that have a table of rewards instead of the common parameters."""

    deciders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Agents that decide, each by itself, with the channels that its decision closes: nobody writes
    on them any more. The episode ends when all have decided. Empty: the verifier, with all
    channels. Rewards follow from the decision of the verifier."""

    copies: tuple[tuple[str, ...], ...] = ()
    """Groups of channels, each a copy of the same exchange. An agent that sees channels of several
    copies plays each by itself, with the same strategy: it does not know which one it is in."""

    imitations: tuple[Imitation, ...] = ()
    """Agents that are paid for acting like another agent."""

    @property
    def num_rounds(self) -> int:
        """Maximum number of rounds of an episode."""
        if self.num_episode_rounds is None:
            return self.max_message_rounds
        return self.num_episode_rounds

    @property
    def provers(self) -> tuple[str, ...]:
        """The agents with "prover" in their names."""
        return tuple(agent for agent in self.agents if "prover" in agent)

    @property
    def closed_by(self) -> dict[str, tuple[str, ...]]:
        """Each agent whose decision has an effect, with the channels that it closes."""
        return dict(self.deciders) or {VERIFIER: tuple(self.channels)}

    @property
    def agents_with_decision(self) -> tuple[str, ...]:
        """The agents that put out a decision, also those of which it has no effect."""
        imitators = {imitation.imitator for imitation in self.imitations}
        return tuple(agent for agent in self.agents if agent in {*self.closed_by, *imitators})

    def views(self, agent: str) -> tuple[tuple[str, ...], ...]:
        """Return the channels that an agent sees, in groups that it reads independently."""
        seen = tuple(name for name, seen_by in self.channels.items() if agent in seen_by)
        of_copies = [tuple(name for name in copy if name in seen) for copy in self.copies]
        groups = tuple(group for group in of_copies if group)
        return groups if len(groups) > 1 else (seen,)

    def goals(self) -> dict[str, int]:
        """Return the decision for which each prover is rewarded, if there is one."""
        goals = {}
        for prover in self.provers:
            goal: int | None = self.prover_goals.get(prover)
            if goal is None:
                table = self.rewards.get(prover)
                goal = int(Decision.ACCEPT) if table is None else table.side
            if goal is not None:
                goals[prover] = goal
        return goals
