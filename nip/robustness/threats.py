"""Threats of a protocol: which provers gain from a wrong decision, for each label."""

from dataclasses import dataclass

from nip.errors import ParameterError
from nip.protocols.handler import ProtocolHandler


@dataclass(frozen=True)
class Threat:
    """Provers that argue for the wrong decision about the datapoints of one label."""

    label: int
    """Label of the datapoints."""

    attackers: tuple[str, ...]
    """Provers whose reward table pays for the other decision, in the order of the protocol."""

    variants: tuple[int, ...]
    """Timetables of the protocol in which an attacker writes."""

    @property
    def name(self) -> str:
        """What the attack is against: ``soundness`` for label 0, ``completeness`` for label 1."""
        return ("soundness", "completeness")[self.label]


def threats_of(protocol: ProtocolHandler) -> tuple[Threat, ...]:
    """Return the threats of a protocol, by label.

    In ``nip`` the prover is paid for an acceptance: it attacks datapoints with label 0. In
    ``debate`` each prover attacks one label. Shared rewards are disregarded, because a prover that
    attacks does not keep to them.

    Raises
    ------
    ParameterError
        If no prover is paid for one decision, whatever the label.
    """
    found = []
    for label in (0, 1):
        goals = protocol.prover_goals
        attackers = tuple(name for name in protocol.prover_names if goals.get(name) == 1 - label)
        variants = _variants_with(protocol, attackers)
        if variants:
            found.append(Threat(label, attackers, variants))
    if not found:
        raise ParameterError(
            f"No prover of the protocol {protocol.hyper_params.interaction_protocol!r} is paid for "
            "one decision whatever the label, so nobody would mislead its verifier. Attack a run "
            "of a protocol with such provers, for example nip, debate or merlin_arthur."
        )
    return tuple(found)


def _variants_with(protocol: ProtocolHandler, agents: tuple[str, ...]) -> tuple[int, ...]:
    indices = [protocol.agent_names.index(agent) for agent in agents]
    return tuple(
        variant
        for variant in range(protocol.num_variants)
        if protocol.active[variant][:, indices].any()
    )
