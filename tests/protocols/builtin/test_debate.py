"""Two provers argue for opposite answers. Rewards are (prover0, prover1, verifier)."""

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
BOTH = {PROVER0, PROVER1}
VERIFIER = {("verifier", "prover0_channel"), ("verifier", "prover1_channel")}


def debate(max_rounds: int = 6, verifier_first: bool = True, common=None, **params):
    return handler_of(
        "debate",
        common={"verifier_first": verifier_first, **(common or {})},
        debate_protocol={"max_message_rounds": max_rounds, **params},
    )


@pytest.mark.parametrize(
    ("params", "period"),
    [
        ({"verifier_first": True}, [VERIFIER, BOTH]),
        ({"verifier_first": False}, [BOTH, VERIFIER]),
        # The order of the provers means nothing when they write together.
        ({"verifier_first": False, "prover0_first": False}, [BOTH, VERIFIER]),
        ({"verifier_first": True, "sequential": True}, [VERIFIER, {PROVER0}, {PROVER1}]),
        ({"verifier_first": False, "sequential": True}, [{PROVER0}, {PROVER1}, VERIFIER]),
        (
            {"verifier_first": True, "sequential": True, "prover0_first": False},
            [VERIFIER, {PROVER1}, {PROVER0}],
        ),
        (
            {"verifier_first": False, "sequential": True, "prover0_first": False},
            [{PROVER1}, {PROVER0}, VERIFIER],
        ),
    ],
)
def test_timetable(params, period) -> None:
    handler = debate(max_rounds=7, **params)
    assert [writers(handler, round_) for round_ in range(7)] == (period * 4)[:7]


def test_everybody_hears_everything() -> None:
    handler = debate()
    assert handler.agent_names == ("prover0", "prover1", "verifier")
    assert handler.channel_names == ("prover0_channel", "prover1_channel")
    assert handler.visibility.all()


@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        (0, 0, CONTINUE, (RUNNING, [0, 0, 8])),
        (0, 0, REJECT, (DECIDED, [1, 0, 2])),
        (2, 1, REJECT, (DECIDED, [1, 0, -16])),
        (2, 1, ACCEPT, (DECIDED, [0, 1, 2])),
        (4, 0, ACCEPT, (DECIDED, [0, 1, -16])),
        (1, 0, REJECT, (RUNNING, [0, 0, 0])),
        (5, 0, REJECT, (TERMINATED, [0, 0, -4])),
    ],
)
def test_reward_table_with_the_verifier_first(round_, y, says, expected) -> None:
    assert play(debate(), round=round_, y=y, says=says) == expected


@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        (0, 0, REJECT, (RUNNING, [0, 0, 0])),
        (1, 0, REJECT, (RUNNING, [0, 0, 0])),
        (2, 0, REJECT, (DECIDED, [1, 0, 2])),
        (2, 1, CONTINUE, (RUNNING, [0, 0, 8])),
        (5, 1, CONTINUE, (TERMINATED, [0, 0, -4])),
        (5, 1, ACCEPT, (DECIDED, [0, 1, 2])),
    ],
)
def test_reward_table_one_after_another(round_, y, says, expected) -> None:
    handler = debate(verifier_first=False, sequential=True)
    assert play(handler, round=round_, y=y, says=says) == expected


@pytest.mark.parametrize(
    ("max_rounds", "params", "questions"),
    [
        (8, {"verifier_first": True}, 4),
        (8, {"verifier_first": True, "sequential": True}, 3),
        (8, {"verifier_first": False, "sequential": True}, 2),
    ],
)
def test_number_of_questions(max_rounds, params, questions) -> None:
    assert debate(max_rounds=max_rounds, **params).max_verifier_questions == questions
