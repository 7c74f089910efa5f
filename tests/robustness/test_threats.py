"""Who gains from a wrong decision, in each protocol."""

import pytest

from nip.errors import ParameterError
from nip.protocols.registry import build_protocol_handler
from nip.robustness.threats import Threat, threats_of
from tests.experiments import make_params


def threats(protocol: str, **common: object) -> tuple[Threat, ...]:
    return threats_of(
        build_protocol_handler(make_params(protocol=protocol, protocol_common=common))
    )


@pytest.mark.parametrize("protocol", ["nip", "adp"])
@pytest.mark.parametrize("shared", [False, True])
def test_a_single_prover_attacks_what_should_be_rejected(protocol: str, shared: bool) -> None:
    (threat,) = threats(protocol, shared_reward=shared)
    assert threat == Threat(0, ("prover",), (0,))
    assert threat.name == "soundness"


def test_in_debate_each_prover_attacks_one_label() -> None:
    assert [(each.label, each.attackers) for each in threats("debate")] == [
        (0, ("prover1",)),
        (1, ("prover0",)),
    ]


def test_provers_of_one_side_attack_together() -> None:
    assert threats("mnip") == (Threat(0, ("prover0", "prover1"), (0,)),)


def test_in_merlin_arthur_an_attacker_attacks_where_it_speaks() -> None:
    # The seed of an episode decides who speaks: prover0, who argues for 0, or prover1.
    first, second = threats("merlin_arthur")
    assert (first.attackers, second.attackers) == (("prover1",), ("prover0",))
    assert sorted((*first.variants, *second.variants)) == [0, 1]
    assert first.variants != second.variants


def test_a_protocol_without_provers_cannot_be_attacked() -> None:
    with pytest.raises(ParameterError, match=r"No prover of the protocol 'solo_verifier'"):
        threats("solo_verifier")
