"""Checks that the rules of a protocol are consistent."""

import math
from collections.abc import Iterable
from itertools import permutations

from nip.errors import ProtocolError, shown, unknown_name
from nip.parameters.protocols import ADVERSARIAL_VERIFIER
from nip.protocols.deciders_check import problems_with_deciders
from nip.protocols.incentives import pays_against
from nip.protocols.rules import VERIFIER, ProtocolRules, Timetable
from nip.protocols.rules_types import (
    are_names,
    is_mapping,
    is_reward_table,
    is_sequence,
    problems_with_types,
)


def check_rules(protocol: str, rules: ProtocolRules, group: str = "") -> None:
    """Check the rules of a protocol.

    Parameters
    ----------
    protocol : str
        Name of the protocol, for messages.
    rules : ProtocolRules
        What it states.
    group : str
        Name of the group of parameters that holds the numbers of rounds, for messages; empty if
        there is none.

    Raises
    ------
    ProtocolError
        At the first inconsistency.
    """
    if not isinstance(rules, ProtocolRules):
        raise ProtocolError(
            f"Protocol {protocol!r}: make_rules must return ProtocolRules, got {shown(rules)}."
        )
    _Check(protocol, rules, group).run()


class _Check:
    """One pass over the rules of one protocol."""

    def __init__(self, protocol: str, rules: ProtocolRules, group: str) -> None:
        self.protocol = protocol
        self.rules = rules
        prefix = f"{group}." if group else ""
        self.min_rounds = f"{prefix}min_message_rounds"
        self.max_rounds = f"{prefix}max_message_rounds"

    def run(self) -> None:
        """Run all checks, those first on which others depend."""
        for problem in problems_with_types(self.rules):
            self._fail(problem)
        self._check_agents()
        self._check_channels()
        self._check_rounds()
        self._check_shape_of_timetables()
        for variant, timetable in enumerate(self.rules.timetables):
            self._check_turns(variant, timetable)
            self._check_every_round_is_used(variant, timetable)
            self._check_decision_is_possible(variant, timetable)
        self._check_prover_goals()
        self._check_rewards()
        self._check_goals_are_rewarded()
        for problem in problems_with_deciders(self.rules):
            self._fail(problem)

    def _fail(self, message: str) -> None:
        raise ProtocolError(f"Protocol {self.protocol!r}: {message}")

    def _check_known(self, what: str, name: str, known: Iterable[str], place: str) -> None:
        known = tuple(known)
        if name not in known:
            self._fail(f"{place} is wrong. {unknown_name(what, name, known)}")

    def _check_agents(self) -> None:
        agents = self.rules.agents
        if not agents or not are_names(agents):
            self._fail(f"agents must be a tuple of at least one name, got {agents!r}.")
        for agent in agents:
            if not agent.isidentifier():
                self._fail(
                    f"agent name {agent!r} must be made of letters, digits and underscores, "
                    "because it is part of parameter and metric names."
                )
        if agents.count(VERIFIER) != 1:
            self._fail(
                f"exactly one agent decides, and it is called {VERIFIER!r}; got the agents "
                f"{', '.join(agents)}. Name the agent that decides {VERIFIER!r}."
            )
        for one, other in permutations(agents, 2):
            # Of the agents of zero knowledge one has the name of another as a part.
            if one in other and other != ADVERSARIAL_VERIFIER:
                self._fail(
                    f"agent name {one!r} must not be part of agent name {other!r}, because "
                    f"agents are told apart by their names. Rename one, say {one + '0'!r}."
                )

    def _check_channels(self) -> None:
        if not self.rules.channels:
            self._fail("there must be a channel; add one to channels, such as 'main'.")
        for channel, agents in self.rules.channels.items():
            place = f"channels[{channel!r}]"
            if not are_names(agents):
                self._fail(
                    f"{place} must be a tuple of agents, such as ({VERIFIER!r},), got {agents!r}."
                )
            for agent in agents:
                self._check_known("agent", agent, self.rules.agents, place)

    def _check_rounds(self) -> None:
        rules, rounds = self.rules, self.rules.num_rounds
        if rounds < 1:
            self._fail(f"an episode must have at least 1 round, got {rounds}.")
        if rounds > rules.max_message_rounds:
            self._fail(
                f"num_episode_rounds must be at most {self.max_rounds} "
                f"({rules.max_message_rounds}), got {rounds}."
            )
        if not 1 <= rules.min_message_rounds <= rounds:
            self._fail(
                f"{self.min_rounds} must lie between 1 and the {rounds} rounds of an episode, "
                f"got {rules.min_message_rounds}. Lower it, or raise {self.max_rounds}."
            )

    def _check_shape_of_timetables(self) -> None:
        wanted = (
            "timetables must be a tuple of timetables, one for each outcome of the episode "
            "seed; a timetable is a tuple of turns; a turn maps agents to tuples of channels"
        )
        example = "Write timetables=((turn, turn),)."
        if not self.rules.timetables or not is_sequence(self.rules.timetables):
            self._fail(f"{wanted}. {example}")
        for timetable in self.rules.timetables:
            if not timetable or not is_sequence(timetable):
                self._fail(f"{wanted}; got {timetable!r} instead of a timetable. {example}")
            for turn in timetable:
                if not is_mapping(turn):
                    self._fail(f"{wanted}; got {turn!r} instead of a turn. {example}")
                for agent, channels in turn.items():
                    if not are_names(channels):
                        self._fail(
                            f"the channels of agent {agent!r} in a turn must be a tuple, such as "
                            f"('main',), got {channels!r}."
                        )

    def _check_turns(self, variant: int, timetable: Timetable) -> None:
        for index, turn in enumerate(timetable):
            place = f"turn {index} of timetable {variant}"
            for agent, channels in turn.items():
                self._check_known("agent", agent, self.rules.agents, place)
                for channel in channels:
                    self._check_known("channel", channel, self.rules.channels, place)
                    if agent not in self.rules.channels[channel]:
                        self._fail(
                            f"in {place} agent {agent!r} writes on channel {channel!r}, which "
                            f"it does not see. Add {agent!r} to channels[{channel!r}], or take "
                            f"{channel!r} out of its turn."
                        )

    def _check_every_round_is_used(self, variant: int, timetable: Timetable) -> None:
        for index, turn in enumerate(timetable[: self.rules.num_rounds]):
            if not any(turn.values()):
                self._fail(
                    f"nobody writes in round {index + 1} (turn {index} of timetable {variant}). "
                    "Let an agent write in it, or leave the turn out."
                )

    def _check_decision_is_possible(self, variant: int, timetable: Timetable) -> None:
        rules, rounds = self.rules, self.rules.num_rounds
        # The last of the rounds of each turn in which the verifier writes.
        deciding = [
            rounds - 1 - (rounds - 1 - index) % len(timetable)
            for index, turn in enumerate(timetable[:rounds])
            if turn.get(VERIFIER)
        ]
        if not deciding:
            self._fail(
                f"{VERIFIER!r} never has a turn in the {rounds} rounds of an episode (timetable "
                f"{variant}), so nothing is ever decided. Raise {self.max_rounds}, or let "
                f"{VERIFIER!r} write earlier (protocol_common.verifier_first=true)."
            )
        last = max(deciding)
        if last < rules.min_message_rounds - 1:
            self._fail(
                f"the last turn of {VERIFIER!r} is round {last + 1} (timetable {variant}), "
                f"but decisions count only from round {rules.min_message_rounds} on. Set "
                f"{self.min_rounds} to at most {last + 1}, or raise {self.max_rounds}."
            )

    def _check_prover_goals(self) -> None:
        for agent, decision in self.rules.prover_goals.items():
            self._check_known("prover", agent, self.rules.provers, "prover_goals")
            if decision not in (0, 1):
                self._fail(
                    f"prover_goals[{agent!r}] must be 0 (reject) or 1 (accept), got {decision!r}."
                )

    def _check_rewards(self) -> None:
        for agent, rewards in self.rules.rewards.items():
            self._check_known("agent", agent, self.rules.agents, "rewards")
            if not is_reward_table(rewards.decided):
                self._fail(
                    f"rewards[{agent!r}].decided must have two rows (label 0, label 1) of two "
                    f"rewards (decision 0, decision 1), got {rewards.decided!r}."
                )
            numbers = (*rewards.decided[0], *rewards.decided[1])
            for number in (*numbers, rewards.terminated, rewards.no_guess):
                if not math.isfinite(number):
                    self._fail(f"rewards[{agent!r}] must be finite, got {number!r}.")

    def _check_goals_are_rewarded(self) -> None:
        for agent, goal in self.rules.prover_goals.items():
            rewards = self.rules.rewards.get(agent)
            if rewards is not None and pays_against(rewards.decided, goal):
                self._fail(
                    f"prover_goals[{agent!r}] is {int(goal)}, but rewards[{agent!r}].decided="
                    f"{rewards.decided!r} pays more for the other decision. Make them agree, or "
                    f"leave {agent!r} out of prover_goals: its goal then follows from its rewards."
                )
