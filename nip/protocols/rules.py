"""Rules of a protocol as data: agents, channels, timetables and rewards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

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
