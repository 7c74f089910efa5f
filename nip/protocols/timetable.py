"""Compiling what a protocol states about seeing and writing into boolean tables."""

import numpy as np
from numpy.typing import NDArray

from nip.protocols.rules import VERIFIER, ProtocolRules


def compile_visibility(rules: ProtocolRules) -> NDArray[np.bool_]:
    """Return who sees which channel: (agent, channel)."""
    return np.array(
        [[agent in seen_by for seen_by in rules.channels.values()] for agent in rules.agents]
    )


def compile_active(rules: ProtocolRules) -> NDArray[np.bool_]:
    """Return who writes where: (variant, round, agent, channel).

    Nobody writes in a round after the last one of an episode.
    """
    agents = {agent: index for index, agent in enumerate(rules.agents)}
    channels = {channel: index for index, channel in enumerate(rules.channels)}
    shape = (len(rules.timetables), rules.max_message_rounds, len(agents), len(channels))
    active = np.zeros(shape, dtype=np.bool_)
    for variant, timetable in enumerate(rules.timetables):
        for round_ in range(rules.num_rounds):
            for agent, written in timetable[round_ % len(timetable)].items():
                for channel in written:
                    active[variant, round_, agents[agent], channels[channel]] = True
    return active


def compile_can_decide(rules: ProtocolRules, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return who may decide: (variant, round, agent).

    That is the verifier, in the rounds in which it writes on any channel.
    """
    decides = np.array([agent == VERIFIER for agent in rules.agents])
    return active.any(axis=-1) & decides
