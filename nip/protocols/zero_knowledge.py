"""Zero-knowledge version of any protocol with a single verifier.

The provers hold the conversation of the protocol twice: with the verifier, and with an adversarial
verifier, which tries to learn from them more than a simulator knows that talks to no prover. If
the simulator can act like the adversarial verifier, the provers have revealed nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from nip.errors import ProtocolError
from nip.parameters import ZkProtocolParameters
from nip.parameters.protocols import ADVERSARIAL_VERIFIER, SIMULATOR
from nip.protocols.imitation import Imitation
from nip.protocols.rules import VERIFIER, ProtocolRules, Turn

STANDARD, ADVERSARIAL, SIMULATED = "_standard", "_adversarial", "_simulator"
"""Suffixes of the three copies of each channel."""


def zero_knowledge_agents(agents: tuple[str, ...]) -> tuple[str, ...]:
    """Return the agents of a protocol with the two that zero knowledge adds."""
    return (*agents, ADVERSARIAL_VERIFIER, SIMULATOR)


def with_zero_knowledge(
    protocol: str, rules: ProtocolRules, params: ZkProtocolParameters
) -> ProtocolRules:
    """Return the rules of the zero-knowledge version of a protocol.

    Parameters
    ----------
    protocol : str
        Name of the protocol, for messages.
    rules : ProtocolRules
        Its consistent rules.
    params : ZkProtocolParameters
        Distance and rewards.

    Raises
    ------
    ProtocolError
        If the protocol has several agents that decide, or uses a name that is needed here.
    """
    _check_can_be_wrapped(protocol, rules)
    standard, adversarial, simulated = (
        _suffixed(rules.channels, suffix) for suffix in (STANDARD, ADVERSARIAL, SIMULATED)
    )
    channels = {
        **dict(zip(standard, rules.channels.values(), strict=True)),
        **_seen_by(rules, adversarial, {VERIFIER: ADVERSARIAL_VERIFIER}),
        **{
            name: (SIMULATOR,) if VERIFIER in seen_by else ()
            for name, seen_by in zip(simulated, rules.channels.values(), strict=True)
        },
    }
    weight = params.simulator_reward_coefficient
    return replace(
        rules,
        agents=zero_knowledge_agents(tuple(rules.agents)),
        channels=channels,
        timetables=tuple(tuple(map(_copied, timetable)) for timetable in rules.timetables),
        deciders={VERIFIER: standard, ADVERSARIAL_VERIFIER: (*adversarial, *simulated)},
        copies=(standard, adversarial),
        imitations=(
            Imitation(
                imitator=SIMULATOR,
                model=ADVERSARIAL_VERIFIER,
                channels=dict(zip(adversarial, simulated, strict=True)),
                distance=params.distance,
                rewards={
                    **dict.fromkeys(rules.provers, weight * params.aux_prover_reward_coefficient),
                    ADVERSARIAL_VERIFIER: -weight,
                    SIMULATOR: weight,
                },
            ),
        ),
    )


def _check_can_be_wrapped(protocol: str, rules: ProtocolRules) -> None:
    if rules.deciders or rules.copies or rules.imitations:
        raise ProtocolError(
            f"protocol_common.zero_knowledge=True needs a protocol in which the verifier alone "
            f"decides, but the rules of {protocol!r} state deciders, copies or imitations of their "
            "own. Choose another protocol, or set it to False."
        )
    if taken := sorted({ADVERSARIAL_VERIFIER, SIMULATOR} & set(rules.agents)):
        raise ProtocolError(
            f"protocol_common.zero_knowledge=True adds an agent {taken[0]!r}, but the protocol "
            f"{protocol!r} has one of this name. Rename it."
        )


def _suffixed(names: Iterable[str], suffix: str) -> tuple[str, ...]:
    return tuple(f"{name}{suffix}" for name in names)


def _seen_by(
    rules: ProtocolRules, names: tuple[str, ...], renamed: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the channels of one copy, with the agents that see them."""
    return {
        name: tuple(renamed.get(agent, agent) for agent in seen_by)
        for name, seen_by in zip(names, rules.channels.values(), strict=True)
    }


def _copied(turn: Turn) -> dict[str, tuple[str, ...]]:
    """Return a turn in which everybody writes on both copies, or on that of its own."""
    copied = {}
    for agent, written in turn.items():
        if agent == VERIFIER:
            copied[VERIFIER] = _suffixed(written, STANDARD)
            copied[ADVERSARIAL_VERIFIER] = _suffixed(written, ADVERSARIAL)
            copied[SIMULATOR] = _suffixed(written, SIMULATED)
        else:
            copied[agent] = (*_suffixed(written, STANDARD), *_suffixed(written, ADVERSARIAL))
    return copied
