"""The fixture with every kind of channel. Rewards are (prover0, prover1, prover2, verifier)."""

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

QUESTIONS = {("verifier", "main"), ("verifier", "prover0_verifier")}
CONFERENCE = {("prover0", "prover_chat"), ("prover1", "prover_chat"), ("prover2", "prover_chat")}
ANSWERS = {("prover0", "prover0_verifier"), ("prover1", "main"), ("prover2", "main")}


def test_timetable() -> None:
    handler = handler_of("multi_channel_test")
    assert [writers(handler, round_) for round_ in range(8)] == [
        QUESTIONS,
        CONFERENCE,
        ANSWERS,
        QUESTIONS,
        CONFERENCE,
        ANSWERS,
        QUESTIONS,
        CONFERENCE,
    ]
    assert handler.max_verifier_questions == 3
    assert handler.min_message_rounds == 2


def test_who_sees_what() -> None:
    handler = handler_of("multi_channel_test")
    assert handler.channel_names == ("main", "prover0_verifier", "prover_chat")
    assert handler.visibility.tolist() == [
        [True, True, True],
        [True, False, True],
        [True, False, True],
        [True, True, False],
    ]


@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        # Too early for a decision.
        (0, 1, ACCEPT, (RUNNING, [0, 0, 0, 8])),
        (1, 1, ACCEPT, (RUNNING, [0, 0, 0, 0])),
        (2, 1, ACCEPT, (RUNNING, [0, 0, 0, 0])),
        (3, 1, ACCEPT, (DECIDED, [1, 1, 1, 2])),
        (3, 0, ACCEPT, (DECIDED, [1, 1, 1, -16])),
        (6, 0, REJECT, (DECIDED, [0, 0, 0, 2])),
        (6, 1, REJECT, (DECIDED, [0, 0, 0, -16])),
        (6, 1, CONTINUE, (RUNNING, [0, 0, 0, 8])),
        # The last round is not the verifier's.
        (7, 1, ACCEPT, (TERMINATED, [0, 0, 0, -4])),
    ],
)
def test_reward_table(round_, y, says, expected) -> None:
    assert play(handler_of("multi_channel_test"), round=round_, y=y, says=says) == expected
