"""Two provers that cannot hear each other. Rewards are (prover0, prover1, verifier)."""

import pytest

from tests.protocols.play import (
    ACCEPT,
    CONTINUE,
    DECIDED,
    REJECT,
    RUNNING,
    TERMINATED,
    handler_of,
    play,
    writers,
)

PROVER0, PROVER1 = ("prover0", "prover0_channel"), ("prover1", "prover1_channel")
VERIFIER = {("verifier", "prover0_channel"), ("verifier", "prover1_channel")}


def mnip(max_rounds: int = 6, verifier_first: bool = True, **params):
    return handler_of(
        "mnip",
        common={"verifier_first": verifier_first},
        mnip_protocol={"max_message_rounds": max_rounds, **params},
    )


@pytest.mark.parametrize(
    ("params", "period"),
    [
        ({"verifier_first": True}, [VERIFIER, {PROVER0, PROVER1}]),
        ({"verifier_first": False}, [{PROVER0, PROVER1}, VERIFIER]),
        ({"verifier_first": False, "sequential": True}, [{PROVER0}, {PROVER1}, VERIFIER]),
        (
            {"verifier_first": True, "sequential": True, "prover0_first": False},
            [VERIFIER, {PROVER1}, {PROVER0}],
        ),
    ],
)
def test_timetable(params, period) -> None:
    handler = mnip(max_rounds=7, **params)
    assert [writers(handler, round_) for round_ in range(7)] == (period * 4)[:7]


def test_a_prover_hears_only_its_own_channel() -> None:
    handler = mnip()
    assert handler.visible_channels("prover0") == ("prover0_channel",)
    assert handler.visible_channels("prover1") == ("prover1_channel",)
    assert handler.visible_channels("verifier") == ("prover0_channel", "prover1_channel")


@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        (0, 1, ACCEPT, (DECIDED, [1, 1, 2])),
        (2, 0, ACCEPT, (DECIDED, [1, 1, -16])),
        (2, 0, REJECT, (DECIDED, [0, 0, 2])),
        (4, 1, REJECT, (DECIDED, [0, 0, -16])),
        (4, 1, CONTINUE, (RUNNING, [0, 0, 8])),
        (3, 1, ACCEPT, (RUNNING, [0, 0, 0])),
        (5, 1, ACCEPT, (TERMINATED, [0, 0, -4])),
    ],
)
def test_both_provers_are_paid_for_acceptance(round_, y, says, expected) -> None:
    assert play(mnip(), round=round_, y=y, says=says) == expected


def test_round_limits_are_its_own() -> None:
    handler = handler_of(
        "mnip",
        nip_protocol={"max_message_rounds": 5, "min_message_rounds": 2},
        debate_protocol={"max_message_rounds": 4, "min_message_rounds": 1},
        mnip_protocol={"max_message_rounds": 9, "min_message_rounds": 3},
    )
    assert (handler.max_message_rounds, handler.min_message_rounds) == (9, 3)
    assert play(handler, round=0, y=1, says=ACCEPT) == (RUNNING, [0, 0, 8])
    assert play(handler, round=2, y=1, says=ACCEPT) == (DECIDED, [1, 1, 2])
    assert play(handler, round=7, y=1, says=CONTINUE) == (RUNNING, [0, 0, 0])
    assert play(handler, round=8, y=1, says=CONTINUE) == (TERMINATED, [0, 0, -4])
