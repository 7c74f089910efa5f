"""The zero-knowledge version of a protocol: who is where, who writes when, and when it ends."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from nip.errors import ParameterError, ProtocolError
from nip.parameters import protocol_specs
from nip.parameters.protocols import ADVERSARIAL_VERIFIER, SIMULATOR
from nip.protocols import ProtocolHandler, ProtocolRules, protocol_registry, register_protocol
from nip.protocols.builtin.nip import NipProtocol
from nip.protocols.registry import agent_names_of
from nip.protocols.rules_check import check_rules
from tests.protocols.play import (
    ACCEPT,
    CONTINUE,
    DISTINCT_REWARDS,
    REJECT,
    handler_of,
    hyper_params_of,
    writers,
)
from tests.text_experiments import make_text_params

ZK = {"zero_knowledge": True}
NIP = {"nip_protocol": {"max_message_rounds": 6}}


def zk_nip(**common: object) -> ProtocolHandler:
    return handler_of("nip", common={**ZK, "verifier_first": False, **common}, **NIP)


def test_two_agents_and_three_copies_of_the_channels_in_their_order() -> None:
    handler = zk_nip()
    assert handler.agent_names == ("prover", "verifier", "adversarial_verifier", "simulator")
    assert handler.channel_names == ("main_standard", "main_adversarial", "main_simulator")
    assert handler.verifier_names == ("verifier", "adversarial_verifier")
    assert handler.stackelberg_sequence == (
        ("adversarial_verifier", "verifier"),
        ("prover", "simulator"),
    )
    assert {name: handler.visible_channels(name) for name in handler.agent_names} == {
        "prover": ("main_standard", "main_adversarial"),
        "verifier": ("main_standard",),
        "adversarial_verifier": ("main_adversarial",),
        "simulator": ("main_simulator",),
    }


def test_provers_write_on_both_copies_and_the_others_on_their_own() -> None:
    handler = zk_nip()
    assert writers(handler, 0) == {("prover", "main_standard"), ("prover", "main_adversarial")}
    assert writers(handler, 1) == {
        ("verifier", "main_standard"),
        ("adversarial_verifier", "main_adversarial"),
        ("simulator", "main_simulator"),
    }
    assert handler.max_verifier_questions == 3


def test_a_prover_does_not_know_to_which_verifier_it_talks() -> None:
    handler = zk_nip()
    assert handler.views("prover") == ((0,), (1,))
    assert handler.views("verifier") == ((0,),)
    assert handler.views("simulator") == ((2,),)


@pytest.mark.parametrize("protocol", protocol_registry.names())
def test_every_protocol_has_consistent_rules(protocol: str) -> None:
    plain, handler = handler_of(protocol), handler_of(protocol, common=ZK)
    check_rules(protocol, handler.rules)
    assert handler.agent_names == agent_names_of(protocol, zero_knowledge=True)
    assert handler.agent_names[: plain.num_agents] == plain.agent_names
    assert handler.num_channels == 3 * plain.num_channels
    assert handler.prover_goals == plain.prover_goals
    standard = handler.active[:, :, : plain.num_agents, : plain.num_channels]
    assert (standard == plain.active).all()
    verifier = plain.agent_names.index("verifier")
    adversarial, simulator = plain.num_agents, plain.num_agents + 1
    for index, copy in ((verifier, 0), (adversarial, 1), (simulator, 2)):
        assert (handler.can_decide[:, :, index] == plain.can_decide[:, :, verifier]).all()
        first = copy * plain.num_channels
        written = handler.active[:, :, index, first : first + plain.num_channels]
        assert (written == plain.active[:, :, verifier]).all()
        seen = handler.visibility[index, first : first + plain.num_channels]
        assert (seen == plain.visibility[verifier]).all()
    assert list(handler.reward_mid_points.values())[-2:] == [0.0, 0.0]


# Rounds are played with the decisions of verifier and adversarial verifier. Rewards are those of
# the worked table without zero knowledge: the two further agents get nothing from the decision.
WORKED = [
    # round, label, (verifier, adversarial), decided before, rewards, done, agent_done, terminated
    (0, 0, (ACCEPT, ACCEPT), (2, 2), (0, 0), False, (0, 0, 0, 0), False),
    (1, 0, (REJECT, CONTINUE), (2, 2), (0, 2), False, (0, 1, 0, 0), False),
    (1, 0, (CONTINUE, REJECT), (2, 2), (0, 8), False, (0, 0, 1, 0), False),
    (1, 1, (ACCEPT, REJECT), (2, 2), (1, 2), True, (1, 1, 1, 1), False),
    (3, 0, (ACCEPT, CONTINUE), (0, 2), (0, 0), False, (0, 1, 0, 0), False),
    (3, 0, (REJECT, ACCEPT), (1, 2), (0, 0), True, (1, 1, 1, 1), False),
    (3, 0, (ACCEPT, REJECT), (2, 1), (1, -16), True, (1, 1, 1, 1), False),
    (5, 0, (CONTINUE, CONTINUE), (2, 2), (0, -4), False, (0, 0, 0, 0), True),
    (5, 0, (CONTINUE, CONTINUE), (0, 2), (0, 0), False, (0, 1, 0, 0), True),
    (5, 1, (REJECT, CONTINUE), (2, 2), (0, -16), False, (0, 1, 0, 0), True),
    (5, 0, (CONTINUE, ACCEPT), (2, 2), (0, -4), False, (0, 0, 1, 0), True),
]


@pytest.mark.parametrize("row", WORKED)
def test_each_verifier_is_done_by_itself(row) -> None:
    round_, y, says, before, rewards, done, agent_done, terminated = row
    step = (
        zk_nip()
        .make_tensor_protocol()
        .step(
            y=torch.tensor([y]),
            round=torch.tensor([round_]),
            seed=torch.tensor([0]),
            decision=torch.tensor([[ACCEPT, *says, ACCEPT]]),
            done=torch.tensor([False]),
            decided=torch.tensor([[CONTINUE, *before, CONTINUE]]),
        )
    )
    assert step.reward[0].tolist() == [*rewards, 0, 0]
    assert (step.done.item(), step.terminated.item()) == (done, terminated)
    assert step.agent_done[0].long().tolist() == list(agent_done)


def test_the_verdict_is_kept_until_the_adversarial_verifier_has_decided_too() -> None:
    step = (
        zk_nip()
        .make_tensor_protocol()
        .step(
            y=torch.tensor([1]),
            round=torch.tensor([3]),
            seed=torch.tensor([0]),
            decision=torch.tensor([[CONTINUE, REJECT, REJECT, CONTINUE]]),
            done=torch.tensor([False]),
            decided=torch.tensor([[CONTINUE, ACCEPT, CONTINUE, CONTINUE]]),
        )
    )
    assert step.verdict.tolist() == [ACCEPT]
    assert step.decided[0].tolist() == [CONTINUE, ACCEPT, REJECT, CONTINUE]


def test_nobody_writes_any_more_to_a_verifier_that_has_decided() -> None:
    tables = zk_nip().make_tensor_protocol()
    round_, seed = torch.tensor([2, 2, 3, 3]), torch.zeros(4, dtype=torch.long)
    decided = torch.tensor([[2, 1, 2, 2], [2, 2, 0, 2], [2, 1, 2, 2], [2, 2, 0, 2]])
    active = tables.active_mask(round_, seed, decided)
    found = [set(map(tuple, each.nonzero().tolist())) for each in active]
    assert found == [{(0, 1)}, {(0, 0)}, {(2, 1), (3, 2)}, {(1, 0)}]
    may_decide = tables.decision_mask(round_, seed, decided).long().tolist()
    assert may_decide == [[0] * 4, [0] * 4, [0, 0, 1, 1], [0, 1, 0, 0]]


def test_the_decision_of_the_simulator_never_counts() -> None:
    tables = zk_nip().make_tensor_protocol()
    counts = tables.counting_mask(torch.tensor([1]), torch.tensor([0]))
    assert counts.tolist() == [[False, True, True, False]]


def test_a_forced_guess_replaces_the_decision_of_the_verifier_alone() -> None:
    tables = zk_nip(force_guess="y").make_tensor_protocol()
    counts = tables.counting_mask(torch.tensor([1]), torch.tensor([0]))
    assert counts.tolist() == [[False, False, True, False]]
    step = tables.step(
        y=torch.tensor([1]),
        round=torch.tensor([1]),
        seed=torch.tensor([0]),
        decision=torch.tensor([[CONTINUE] * 4]),
        done=torch.tensor([False]),
    )
    assert step.decided.tolist() == [[CONTINUE, ACCEPT, CONTINUE, CONTINUE]]


def test_shares_of_the_similarity_follow_the_coefficients() -> None:
    zk = {"simulator_reward_coefficient": 3.0, "aux_prover_reward_coefficient": 0.5}
    handler = handler_of("debate", common=ZK, zk_protocol={**zk, "distance": "cosine"})
    (imitation,) = handler.rules.imitations
    assert imitation.rewards == {
        "prover0": 1.5,
        "prover1": 1.5,
        "adversarial_verifier": -3.0,
        "simulator": 3.0,
    }
    assert imitation.distance == "cosine"
    assert imitation.channels["prover1_channel_adversarial"] == "prover1_channel_simulator"


@pytest.fixture
def courtroom() -> Iterator[str]:
    """Register a protocol with a witness that is neither prover nor verifier."""

    @register_protocol("courtroom")
    class Courtroom(ProtocolHandler):
        def make_rules(self) -> ProtocolRules:
            return ProtocolRules(
                agents=("witness", "prover", "verifier"),
                channels={"hall": ("witness", "prover", "verifier"), "door": ("witness", "prover")},
                timetables=(
                    (
                        {"witness": ("hall", "door")},
                        {"prover": ("hall",)},
                        {"verifier": ("hall",)},
                    ),
                ),
                max_message_rounds=3,
            )

    yield "courtroom"
    for registry in (protocol_registry, protocol_specs):
        registry.unregister("courtroom")


def test_a_protocol_of_ones_own_is_wrapped(courtroom: str) -> None:
    handler = handler_of(courtroom, common=ZK)
    assert handler.agent_names == ("witness", "prover", "verifier", ADVERSARIAL_VERIFIER, SIMULATOR)
    assert handler.visible_channels("witness") == (
        "hall_standard",
        "door_standard",
        "hall_adversarial",
        "door_adversarial",
    )
    assert writers(handler, 0) == {
        ("witness", channel) for channel in handler.visible_channels("witness")
    }
    assert handler.visible_channels(SIMULATOR) == ("hall_simulator",)
    assert "witness" not in handler.rules.imitations[0].rewards


class Doubled(NipProtocol):
    def make_rules(self) -> ProtocolRules:
        return replace(super().make_rules(), deciders={"verifier": ("main",)})


class Simulating(NipProtocol):
    def make_rules(self) -> ProtocolRules:
        rules = super().make_rules()
        return replace(rules, agents=(*rules.agents, SIMULATOR))


@pytest.mark.parametrize(
    ("protocol", "words"), [(Doubled, "verifier alone decides"), (Simulating, "'simulator'")]
)
def test_a_protocol_that_cannot_be_wrapped_is_refused(protocol, words) -> None:
    with pytest.raises(ProtocolError, match=words):
        protocol(hyper_params_of("nip", protocol_common={**DISTINCT_REWARDS, **ZK}))


def test_language_models_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"zero_knowledge=True needs a trainer of networks"):
        make_text_params("pure_text_ei", protocol_common=ZK)
