"""Who is paid what: forced guesses, shared rewards, tables of a protocol's own, mid-points."""

import pytest

from nip.protocols import AgentRewards, ProtocolHandler, ProtocolRules
from tests.protocols.play import (
    ACCEPT,
    CONTINUE,
    DECIDED,
    DISTINCT_REWARDS,
    REJECT,
    RUNNING,
    TERMINATED,
    handler_of,
    hyper_params_of,
    play,
)


def nip(min_rounds: int = 1, **common):
    """Six rounds, the prover first, so that the verifier has rounds 1, 3 and 5."""
    limits = {"max_message_rounds": 6, "min_message_rounds": min_rounds}
    return handler_of("nip", common={"verifier_first": False, **common}, nip_protocol=limits)


@pytest.mark.parametrize("says", [REJECT, ACCEPT, CONTINUE])
@pytest.mark.parametrize(
    ("force_guess", "y", "expected"),
    [
        ("zero", 0, (DECIDED, [0, 2])),
        ("zero", 1, (DECIDED, [0, -16])),
        ("one", 0, (DECIDED, [1, -16])),
        ("one", 1, (DECIDED, [1, 2])),
        ("y", 0, (DECIDED, [0, 2])),
        ("y", 1, (DECIDED, [1, 2])),
    ],
)
def test_a_forced_guess_decides_and_is_what_is_paid_for(force_guess, y, says, expected) -> None:
    assert play(nip(force_guess=force_guess), round=1, y=y, says=says) == expected


def test_a_forced_guess_does_not_give_the_verifier_a_turn() -> None:
    assert play(nip(force_guess="one"), round=0, y=1, says=ACCEPT) == (RUNNING, [0, 0])


def test_a_forced_guess_waits_for_the_first_decisive_round() -> None:
    handler = nip(force_guess="one", min_rounds=3)
    assert play(handler, round=1, y=1) == (RUNNING, [0, 8])
    assert play(handler, round=3, y=1) == (DECIDED, [1, 2])


def test_a_forced_guess_ends_a_solo_episode_with_a_decision() -> None:
    handler = handler_of("solo_verifier", common={"force_guess": "zero"})
    assert play(handler, round=0, y=1, says=CONTINUE) == (DECIDED, [-16])


@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        (0, 0, CONTINUE, (RUNNING, [0, 0])),
        (1, 0, CONTINUE, (RUNNING, [8, 8])),
        (1, 0, REJECT, (DECIDED, [2, 2])),
        (1, 0, ACCEPT, (DECIDED, [-16, -16])),
        (5, 0, CONTINUE, (TERMINATED, [-4, -4])),
    ],
)
def test_a_shared_reward_copies_the_verifiers_in_every_round(round_, y, says, expected) -> None:
    assert play(nip(shared_reward=True), round=round_, y=y, says=says) == expected


@pytest.mark.parametrize("protocol", ["debate", "merlin_arthur", "mnip"])
def test_a_shared_reward_goes_to_all_provers(protocol: str) -> None:
    handler = handler_of(protocol, common={"shared_reward": True, "verifier_first": False})
    assert play(handler, round=1, y=0, says=REJECT) == (DECIDED, [2, 2, 2])
    assert play(handler, round=1, y=0, says=ACCEPT) == (DECIDED, [-16, -16, -16])


@pytest.mark.parametrize("says", [REJECT, ACCEPT, CONTINUE])
@pytest.mark.parametrize("round_", [1, 5])
def test_nothing_happens_in_an_episode_that_is_over(says: int, round_: int) -> None:
    assert play(nip(), round=round_, y=1, says=says, done=True) == (DECIDED, [0, 0])


@pytest.mark.parametrize(
    ("protocol", "common", "mid_points"),
    [
        ("nip", {}, {"prover": 0.5, "verifier": -7.0}),
        ("debate", {}, {"prover0": 0.5, "prover1": 0.5, "verifier": -7.0}),
        ("mnip", {"prover_reward": 3.0}, {"prover0": 1.5, "prover1": 1.5, "verifier": -7.0}),
        ("solo_verifier", {"verifier_incorrect_penalty": -1.0}, {"verifier": 0.5}),
        ("nip", {"shared_reward": True}, {"prover": -7.0, "verifier": -7.0}),
    ],
)
def test_mid_points_of_random_play(protocol, common, mid_points) -> None:
    assert handler_of(protocol, common=common).reward_mid_points == mid_points


class PaidByOwnTables(ProtocolHandler):
    """A clerk and the verifier write in every round; the prover only listens."""

    def make_rules(self) -> ProtocolRules:
        everybody = ("prover", "clerk", "verifier")
        return ProtocolRules(
            agents=everybody,
            channels={"main": everybody},
            timetables=(({"clerk": ("main",), "verifier": ("main",)},),),
            max_message_rounds=2,
            rewards={
                "prover": AgentRewards(decided=((-3, 5), (0, 7)), terminated=-2, no_guess=-0.5)
            },
        )


@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        (0, 0, REJECT, (DECIDED, [-3, 0, 2])),
        (0, 0, ACCEPT, (DECIDED, [5, 0, -16])),
        (0, 1, REJECT, (DECIDED, [0, 0, -16])),
        (0, 1, ACCEPT, (DECIDED, [7, 0, 2])),
        (0, 1, CONTINUE, (RUNNING, [-0.5, 0, 8])),
        (1, 1, CONTINUE, (TERMINATED, [-2, 0, -4])),
    ],
)
def test_a_protocol_may_pay_by_tables_of_its_own(round_, y, says, expected) -> None:
    handler = PaidByOwnTables(hyper_params_of("nip", protocol_common=DISTINCT_REWARDS))
    assert play(handler, round=round_, y=y, says=says) == expected


def test_a_shared_reward_goes_before_tables_of_the_protocol() -> None:
    common = {**DISTINCT_REWARDS, "shared_reward": True}
    handler = PaidByOwnTables(hyper_params_of("nip", protocol_common=common))
    assert play(handler, round=0, y=0, says=REJECT) == (DECIDED, [2, 0, 2])
