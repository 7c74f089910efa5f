"""Turns, decisions and rewards of one episode, from the tables of a protocol, without tensors."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from nip.errors import ParameterError, ProtocolError
from nip.protocols.handler import ProtocolHandler
from nip.protocols.incentives import DecidedRewards, Incentive, incentive_of, side_of
from nip.protocols.rules import VERIFIER, Decision

FORCED_GUESSES = {"zero": Decision.REJECT, "one": Decision.ACCEPT}


class RoundOutcome(NamedTuple):
    """Result of one round of an episode."""

    rewards: tuple[float, ...]
    """Reward of each agent in this round, in the order of the protocol."""

    verdict: int
    """Decision that took effect: 0 (reject), 1 (accept) or 2 (none)."""

    verdict_value: float | None
    """Position of the verdict on its scale, from -1 (reject) to 1 (accept); None without one."""

    is_terminated: bool
    """Whether this was the last round and there was no decision."""

    @property
    def is_over(self) -> bool:
        """Whether the episode ends here."""
        return self.is_terminated or self.verdict != Decision.CONTINUE


@dataclass(frozen=True)
class EpisodeRules:
    """Turns, valid decisions and rewards of the episodes of one protocol.

    Let ``R[y, d]`` be the reward of an agent for decision ``d`` and label ``y`` in the protocol's
    table. A verdict with the value ``v`` in [-1, 1] gives ``R[y, 0] (1 - v) / 2 + R[y, 1] (1 + v) /
    2`` if rewards are linear, and ``R[y, d]`` otherwise. For a prover with a randomised stance the
    two decisions are exchanged in the table if its stance is not the one that the table rewards.
    """

    protocol: ProtocolHandler
    """The protocol, with its tables."""

    is_linear: bool = False
    """Whether rewards are proportional to the verdict's position on the scale."""

    has_random_stance: bool = False
    """Whether the datapoint determines the decision for which the only prover is rewarded."""

    asks_all_writers: bool = False
    """Whether messages that nobody reads are asked for, as in runs of earlier versions."""

    def __post_init__(self) -> None:
        protocol = self.protocol
        if type(protocol).make_tensor_protocol is not ProtocolHandler.make_tensor_protocol:
            raise ProtocolError(
                f"The protocol {protocol.name!r} adapts the step of its tensor protocol, but "
                "dialogues use only the tables of a protocol. Define its rules in make_rules, or "
                "choose another interaction_protocol."
            )
        num_provers = len(protocol.prover_names)
        if self.has_random_stance and num_provers != 1:
            raise ParameterError(
                "protocol_common.randomize_prover_stance=True needs a protocol with one prover, "
                f"but {protocol.name!r} has {num_provers}. Set it to False, or choose another "
                "interaction_protocol."
            )
        if self.has_random_stance:
            self._check_stance_can_be_exchanged()

    def _check_stance_can_be_exchanged(self) -> None:
        (prover,) = self.protocol.prover_names
        table = self._table(prover)
        if side_of(table) is None and incentive_of(table) is not Incentive.NOTHING:
            raise ParameterError(
                "protocol_common.randomize_prover_stance=True needs a prover that is rewarded for "
                f"one of the decisions, but the rewards of {prover!r} in {self.protocol.name!r} "
                f"are {table!r} (by label and decision). Set it to False, or change the rewards."
            )

    @classmethod
    def of(cls, protocol: ProtocolHandler, *, is_linear: bool = False) -> "EpisodeRules":
        """Build the rules of a protocol; its parameters say whether stances are randomised."""
        common = protocol.common
        return cls(
            protocol,
            is_linear=is_linear,
            # With a shared reward the prover has the verifier's goal, so it has no stance.
            has_random_stance=common.randomize_prover_stance and not common.shared_reward,
        )

    @property
    def last_round(self) -> int:
        """Index of the last possible round, from 0."""
        return self.protocol.num_episode_rounds - 1

    def writers(self, round: int, seed: int) -> dict[str, tuple[str, ...]]:
        """Return the agents that may write in a round, each with its channels."""
        return self._writers[self.protocol.variant(seed)][round]

    def asked_writers(self, round: int, seed: int) -> dict[str, tuple[str, ...]]:
        """Return the writers of a round that are asked for a message.

        These are not all: a message that nobody would read, such as that of a prover after the
        verifier's last turn, would be paid for nothing.
        """
        return self._asked[self.protocol.variant(seed)][round]

    def turns(self, agent: str, seed: int) -> tuple[int, ...]:
        """Return the rounds in which an agent is asked, in an episode of full length."""
        return self._turns[self.protocol.variant(seed)][agent]

    def is_last_turn(self, agent: str, round: int, seed: int) -> bool:
        """Return whether an agent is not asked again after this round."""
        return round >= max(self.turns(agent, seed), default=-1)

    def may_decide(self, agent: str, round: int, seed: int) -> bool:
        """Return whether a decision of an agent takes effect in this round."""
        is_late_enough = round >= self.protocol.min_message_rounds - 1
        return is_late_enough and agent == VERIFIER and agent in self.writers(round, seed)

    def rewards_of(self, agent: str, stance: int) -> DecidedRewards:
        """Return an agent's rewards for decisions, by label and decision, given the stance."""
        index = self.protocol.agent_names.index(agent)
        return [row[index] for row in self._decided[stance]]

    def goal(self, agent: str, stance: int) -> int | None:
        """Return the decision that an agent is rewarded for, given the datapoint's stance.

        None if its rewards do not favour one decision for both labels.
        """
        if self.has_random_stance and agent in self.protocol.prover_names:
            return stance
        return side_of(self._table(agent))

    def step(
        self, *, y: int, stance: int, round: int, seed: int, decision: int, value: float | None
    ) -> RoundOutcome:
        """Play one round of an episode that is not over.

        Parameters
        ----------
        stance : int
            Stance of the datapoint; unused unless stances are randomised.
        decision : int
            Decision of the verifier: 0, 1 or 2 (none). Ignored where it may not decide.
        value : float or None
            Position of the decision on its scale; None for the end of the scale.
        """
        protocol = self.protocol
        forced = protocol.force_guess
        if forced is not None:
            decision, value = (y if forced == "y" else FORCED_GUESSES[forced]), None
        is_asked = VERIFIER in self.writers(round, seed)
        is_late_enough = round >= protocol.min_message_rounds - 1
        if is_asked and is_late_enough and decision != Decision.CONTINUE:
            value = float(2 * decision - 1) if value is None else value
            rewards = self._pay_decision(y, stance, int(decision), value)
            return RoundOutcome(rewards, int(decision), value, False)
        if round >= self.last_round:
            return RoundOutcome(self._terminated, Decision.CONTINUE.value, None, True)
        rewards = self._passed if is_asked else (0.0,) * protocol.num_agents
        return RoundOutcome(rewards, Decision.CONTINUE.value, None, False)

    def _pay_decision(self, y: int, stance: int, decision: int, value: float) -> tuple[float, ...]:
        share = (1 + value) / 2 if self.is_linear else float(decision)
        return tuple(
            rejected * (1 - share) + accepted * share
            for rejected, accepted in self._decided[stance][y]
        )

    @cached_property
    def _decided(self) -> list[list[list[list[float]]]]:
        """Rewards of decisions by the stance of the datapoint: [stance][label][agent][decision]."""
        return [self._decided_table(stance) for stance in (0, 1)]

    def _decided_table(self, stance: int) -> list[list[list[float]]]:
        table = self.protocol.decided_reward.copy()
        if self.has_random_stance:
            for prover in self.protocol.prover_names:
                if side_of(self._table(prover)) != stance:
                    row = self.protocol.agent_names.index(prover)
                    table[row] = table[row][:, ::-1].copy()
        by_label: list[list[list[float]]] = np.swapaxes(table, 0, 1).tolist()
        return by_label

    def _table(self, agent: str) -> list[list[float]]:
        """Return an agent's table of the protocol, before a randomised stance is applied."""
        index = self.protocol.agent_names.index(agent)
        table: list[list[float]] = self.protocol.decided_reward[index].tolist()
        return table

    @cached_property
    def _terminated(self) -> tuple[float, ...]:
        return tuple(self.protocol.terminated_reward.tolist())

    @cached_property
    def _passed(self) -> tuple[float, ...]:
        return tuple(self.protocol.no_guess_reward.tolist())

    @cached_property
    def _writers(self) -> list[list[dict[str, tuple[str, ...]]]]:
        """The agents that may write, with their channels: [variant][round]."""
        protocol = self.protocol
        return [
            [
                {
                    agent: channels
                    for agent, channels in protocol.active_channels_by_agent(round, variant).items()
                    if channels
                }
                for round in range(protocol.num_episode_rounds)
            ]
            for variant in range(protocol.num_variants)
        ]

    @cached_property
    def _asked(self) -> list[list[dict[str, tuple[str, ...]]]]:
        """The agents that are asked for a message: [variant][round]."""
        if self.asks_all_writers:
            return self._writers
        return [self._whose_messages_are_read(rounds) for rounds in self._writers]

    def _whose_messages_are_read(
        self, rounds: list[dict[str, tuple[str, ...]]]
    ) -> list[dict[str, tuple[str, ...]]]:
        """Keep the writers that may decide, or whose message is read by a later one of these."""
        protocol = self.protocol
        asked: list[dict[str, tuple[str, ...]]] = []
        # The agents that write later, and the channels that these see.
        later: set[str] = set()
        read: set[str] = set()
        for round in reversed(range(len(rounds))):
            decides = round >= protocol.min_message_rounds - 1
            writers = {
                agent: channels
                for agent, channels in rounds[round].items()
                if (decides and agent == VERIFIER) or agent in later or read & set(channels)
            }
            asked.append(writers)
            later |= set(writers)
            read = read.union(*map(protocol.visible_channels, writers))
        return asked[::-1]

    @cached_property
    def _turns(self) -> list[dict[str, tuple[int, ...]]]:
        """The rounds in which each agent is asked: [variant][agent]."""
        return [
            {
                agent: tuple(round for round, writers in enumerate(rounds) if agent in writers)
                for agent in self.protocol.agent_names
            }
            for rounds in self._asked
        ]
