"""The rules of one episode agree with the tensor protocol."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from nip.errors import ParameterError, ProtocolError
from nip.protocols import build_protocol_handler, protocol_registry
from nip.protocols.builtin.nip import NipProtocol
from nip.protocols.tensor_protocol import TensorProtocol
from nip.scenario_base.text.episode_rules import EpisodeRules, RoundOutcome
from tests.protocols.play import DISTINCT_REWARDS, handler_of, hyper_params_of
from tests.scenario_base.text.dialogues import text_params

OPTIONS = [
    {},
    {"verifier_first": False},
    {"shared_reward": True},
    {"force_guess": "zero"},
    {"force_guess": "y", "verifier_first": False},
]
ROUNDS = [{}, {"max_message_rounds": 5, "min_message_rounds": 3}]


@pytest.mark.parametrize("protocol", protocol_registry.names())
@pytest.mark.parametrize("rounds", ROUNDS, ids=["default", "short"])
@pytest.mark.parametrize("common", OPTIONS, ids=str)
def test_random_episodes_go_as_in_tensors(protocol: str, rounds, common) -> None:
    groups = {}
    if f"{protocol}_protocol" in ("nip_protocol", "debate_protocol", "mnip_protocol"):
        groups[f"{protocol}_protocol"] = rounds
    handler = handler_of(protocol, common={**DISTINCT_REWARDS, **common}, **groups)
    rules, tensor_protocol = EpisodeRules(handler), TensorProtocol(handler)
    rng = np.random.default_rng(5)
    for seed, y in itertools.product(range(6), (0, 1)):
        _play_both(rules, tensor_protocol, seed, y, rng)


def _play_both(
    rules: EpisodeRules,
    tensor_protocol: TensorProtocol,
    seed: int,
    y: int,
    rng: np.random.Generator,
) -> None:
    num_agents = rules.protocol.num_agents
    verifier = rules.protocol.agent_names.index("verifier")
    for round_ in range(rules.protocol.num_episode_rounds):
        decision = rng.choice(3, size=num_agents, p=[0.15, 0.15, 0.7])
        mask = tensor_protocol.active_mask(torch.tensor(round_), torch.tensor(seed))
        writers = rules.writers(round_, seed)
        for index, name in enumerate(rules.protocol.agent_names):
            active = [
                c for c, on in zip(rules.protocol.channel_names, mask[index], strict=True) if on
            ]
            assert list(writers.get(name, ())) == active
        step = tensor_protocol.step(
            y=torch.tensor(y),
            round=torch.tensor(round_),
            seed=torch.tensor(seed),
            decision=torch.tensor(decision),
            done=torch.tensor(False),
        )
        outcome = rules.step(
            y=y, stance=0, round=round_, seed=seed, decision=int(decision[verifier]), value=None
        )
        assert outcome.rewards == pytest.approx(step.reward.tolist())
        assert outcome.verdict == step.verdict.item()
        assert outcome.is_terminated == step.terminated.item()
        assert outcome.is_over == (step.done | step.terminated).item()
        if rules.protocol.force_guess is None:
            counts = tensor_protocol.counting_mask(torch.tensor(round_), torch.tensor(seed))
            assert rules.may_decide("verifier", round_, seed) == counts[verifier].item()
        if outcome.is_over:
            return
    raise AssertionError("the episode never ended")


def linear_rewards(value: float, y: int, protocol: str = "nip") -> dict[str, float]:
    """Pay one verdict with a prover reward of 3, and 2 and -4 for the verifier."""
    common = {"prover_reward": 3.0, "verifier_reward": 2.0, "verifier_incorrect_penalty": -4.0}
    handler = handler_of(protocol, common=common)
    decision = int(value > 0)
    round_ = 0 if protocol == "nip" else 2
    outcome = EpisodeRules(handler, is_linear=True).step(
        y=y, stance=0, round=round_, seed=0, decision=decision, value=value
    )
    return dict(zip(handler.agent_names, outcome.rewards, strict=True))


def test_linear_rewards_lie_between_those_of_the_two_ends() -> None:
    # Half way between the middle and acceptance: three quarters of the way from reject to accept.
    assert linear_rewards(0.5, y=1) == {"prover": 2.25, "verifier": 0.5}
    assert linear_rewards(0.5, y=0) == {"prover": 2.25, "verifier": -2.5}
    assert linear_rewards(-1.0, y=0) == {"prover": 0.0, "verifier": 2.0}
    assert linear_rewards(1.0, y=0) == {"prover": 3.0, "verifier": -4.0}
    assert linear_rewards(0.0, y=1) == {"prover": 1.5, "verifier": -1.0}
    assert linear_rewards(-0.5, y=1, protocol="debate") == {
        "prover0": 2.25,
        "prover1": 0.75,
        "verifier": -2.5,
    }


def stance_rewards(stance: int, decision: int, **changes: object) -> tuple[float, ...]:
    params = text_params(
        "nip",
        protocol_common={"randomize_prover_stance": True, **DISTINCT_REWARDS, **changes},
    )
    rules = EpisodeRules.of(build_protocol_handler(params))
    outcome = rules.step(y=1, stance=stance, round=0, seed=0, decision=decision, value=None)
    return outcome.rewards


def test_a_prover_with_a_random_stance_is_paid_for_the_decision_of_its_stance() -> None:
    # DISTINCT_REWARDS: 1 for a prover, 2 and -16 for the verifier; the label is 1.
    assert stance_rewards(stance=1, decision=1) == (1, 2)
    assert stance_rewards(stance=1, decision=0) == (0, -16)
    assert stance_rewards(stance=0, decision=1) == (0, 2)
    assert stance_rewards(stance=0, decision=0) == (1, -16)


class AccuserNip(NipProtocol):
    """A protocol whose only prover argues against the solution."""

    def make_rules(self):
        return replace(super().make_rules(), prover_goals={"prover": 0})


def test_a_stance_counts_whatever_the_protocol_pays_its_prover_for() -> None:
    handler = AccuserNip(text_params("nip", protocol_common=DISTINCT_REWARDS))
    rules = EpisodeRules(handler, has_random_stance=True)
    for stance in (0, 1):
        for decision in (0, 1):
            outcome = rules.step(y=1, stance=stance, round=0, seed=0, decision=decision, value=None)
            assert outcome.rewards[0] == (1 if decision == stance else 0)
            assert rules.goal("prover", stance) == stance


def test_a_shared_reward_goes_before_stances() -> None:
    assert stance_rewards(stance=0, decision=1, shared_reward=True) == (2, 2)
    assert stance_rewards(stance=0, decision=0, shared_reward=True) == (-16, -16)


def test_stances_need_one_prover() -> None:
    with pytest.raises(ParameterError, match="a protocol with one prover, but 'debate' has 2"):
        EpisodeRules(handler_of("debate"), has_random_stance=True)


def test_the_verifier_that_opens_eight_rounds_has_its_last_turn_in_the_seventh() -> None:
    rules = EpisodeRules(handler_of("nip"))
    assert rules.turns("verifier", seed=0) == (0, 2, 4, 6)
    assert [rules.is_last_turn("verifier", round_, 0) for round_ in (4, 6)] == [False, True]
    assert rules.is_last_turn("prover", 7, 0)


def test_outcomes_say_whether_the_episode_is_over() -> None:
    assert not RoundOutcome((0.0,), 2, None, False).is_over
    assert RoundOutcome((0.0,), 2, None, True).is_over
    assert RoundOutcome((0.0,), 0, -1.0, False).is_over


class AdaptedNip(NipProtocol):
    def make_tensor_protocol(self, device: object = "cpu") -> TensorProtocol:
        return TensorProtocol(self)


def test_a_protocol_that_is_more_than_tables_is_refused() -> None:
    with pytest.raises(ProtocolError, match="adapts the step of its tensor protocol"):
        EpisodeRules(AdaptedNip(hyper_params_of("nip")))


@pytest.mark.parametrize(
    ("protocol", "options", "expected"),
    [
        # The agents that are asked in each round, by their first letters; nobody reads the others.
        ("nip", {}, ["v", "p", "v", ""]),
        ("nip", {"common": {"verifier_first": False}}, ["p", "v", "p", "v"]),
        ("debate", {}, ["v", "pp", "v", ""]),
        ("debate", {"sequential": True}, ["v", "p", "p", "v"]),
        ("mnip", {}, ["v", "pp", "v", ""]),
        ("adp", {}, ["p", "v"]),
        ("merlin_arthur", {}, ["p", "v"]),
        ("solo_verifier", {}, ["v"]),
    ],
)
def test_only_messages_that_somebody_reads_are_asked_for(
    protocol: str, options: dict, expected: list[str]
) -> None:
    groups = {"common": options.pop("common")} if "common" in options else {}
    if f"{protocol}_protocol" in ("nip_protocol", "debate_protocol", "mnip_protocol"):
        groups[f"{protocol}_protocol"] = {"max_message_rounds": 4, **options}
    rules = EpisodeRules(handler_of(protocol, **groups))
    for seed in (0, 1):
        asked = [
            "".join(sorted(name[0] for name in rules.asked_writers(round_, seed)))
            for round_ in range(rules.protocol.num_episode_rounds)
        ]
        assert asked == expected


def test_a_question_is_read_only_if_its_answer_is() -> None:
    """In five rounds of a sequential debate, nobody reads the fifth message."""
    rules = EpisodeRules(
        handler_of("debate", debate_protocol={"max_message_rounds": 5, "sequential": True})
    )
    asked = [sorted(rules.asked_writers(round_, 0)) for round_ in range(5)]
    assert asked == [["verifier"], ["prover0"], ["prover1"], ["verifier"], []]
