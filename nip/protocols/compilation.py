"""Compile the rules of a protocol into arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nip.parameters import CommonProtocolParameters
from nip.protocols.rewards import rewards_of_agents
from nip.protocols.rules import ProtocolRules


class CompiledRules(NamedTuple):
    """The rules of a protocol as read-only arrays."""

    visibility: NDArray[np.bool_]
    """Which agent sees which channel, (agent, channel)."""

    active: NDArray[np.bool_]
    """Which agent writes on which channel, (variant, round, agent, channel)."""

    can_decide: NDArray[np.bool_]
    """Which agent may decide, (variant, round, agent)."""

    closes: NDArray[np.bool_]
    """Which channels the decision of an agent closes, (agent, channel); none for an agent whose
    decision has no effect."""

    decided_reward: NDArray[np.float64]
    """Rewards in the round of the decision, (agent, label, decision)."""

    terminated_reward: NDArray[np.float64]
    """Rewards in the last round if nothing was decided, (agent,)."""

    no_guess_reward: NDArray[np.float64]
    """Rewards in a round in which the verifier could have decided but did not, (agent,)."""


def compile_rules(rules: ProtocolRules, common: CommonProtocolParameters) -> CompiledRules:
    """Compile who sees, writes and decides when, and what each agent earns."""
    rewards = list(rewards_of_agents(rules, common).values())
    active = _compile_active(rules)
    # An agent that decides may do so in every round in which it writes.
    has_decision = np.array([agent in rules.agents_with_decision for agent in rules.agents])
    closed = [rules.closed_by.get(agent, ()) for agent in rules.agents]
    compiled = CompiledRules(
        visibility=np.array(
            [[agent in seen_by for seen_by in rules.channels.values()] for agent in rules.agents]
        ),
        active=active,
        can_decide=active.any(axis=-1) & has_decision,
        closes=np.array([[channel in names for channel in rules.channels] for names in closed]),
        decided_reward=np.array([each.decided for each in rewards], dtype=np.float64),
        terminated_reward=np.array([each.terminated for each in rewards], dtype=np.float64),
        no_guess_reward=np.array([each.no_guess for each in rewards], dtype=np.float64),
    )
    for table in compiled:
        table.setflags(write=False)
    return compiled


def _compile_active(rules: ProtocolRules) -> NDArray[np.bool_]:
    """Repeat each timetable until the last round of an episode; later rounds stay empty."""
    agents = {agent: index for index, agent in enumerate(rules.agents)}
    channels = {channel: index for index, channel in enumerate(rules.channels)}
    shape = (len(rules.timetables), rules.max_message_rounds, len(agents), len(channels))
    active = np.zeros(shape, dtype=np.bool_)
    for variant, timetable in enumerate(rules.timetables):
        for position, turn in enumerate(timetable):
            rounds = slice(position, rules.num_rounds, len(timetable))
            for agent, written in turn.items():
                for channel in written:
                    active[variant, rounds, agents[agent], channels[channel]] = True
    return active
