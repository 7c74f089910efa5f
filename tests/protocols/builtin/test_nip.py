"""One prover and one verifier in turn. Rewards are (prover, verifier)."""

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

PROVER, VERIFIER = {("prover", "main")}, {("verifier", "main")}


def nip(max_rounds: int = 6, min_rounds: int = 1, **common):
    limits = {"max_message_rounds": max_rounds, "min_message_rounds": min_rounds}
    return handler_of("nip", common=common, nip_protocol=limits)


def test_the_prover_may_open() -> None:
    handler = nip(verifier_first=False)
    assert [writers(handler, round_) for round_ in range(6)] == [PROVER, VERIFIER] * 3


def test_the_verifier_may_open() -> None:
    handler = nip(verifier_first=True)
    assert [writers(handler, round_) for round_ in range(6)] == [VERIFIER, PROVER] * 3


@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        (0, 0, CONTINUE, (RUNNING, [0, 0])),
        (0, 1, ACCEPT, (RUNNING, [0, 0])),
        (1, 0, REJECT, (DECIDED, [0, 2])),
        (1, 0, CONTINUE, (RUNNING, [0, 8])),
        (3, 1, CONTINUE, (RUNNING, [0, 8])),
        (5, 1, CONTINUE, (TERMINATED, [0, -4])),
        (3, 1, REJECT, (DECIDED, [0, -16])),
        (3, 0, ACCEPT, (DECIDED, [1, -16])),
        (5, 1, ACCEPT, (DECIDED, [1, 2])),
        (5, 0, REJECT, (DECIDED, [0, 2])),
    ],
)
def test_worked_reward_table_with_the_prover_first(round_, y, says, expected) -> None:
    assert play(nip(verifier_first=False), round=round_, y=y, says=says) == expected


@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        (0, 1, ACCEPT, (DECIDED, [1, 2])),
        (0, 1, CONTINUE, (RUNNING, [0, 8])),
        (1, 1, ACCEPT, (RUNNING, [0, 0])),
        (4, 1, REJECT, (DECIDED, [0, -16])),
        # The last round is the prover's, and ends the episode without a decision.
        (5, 1, CONTINUE, (TERMINATED, [0, -4])),
        (5, 1, ACCEPT, (TERMINATED, [0, -4])),
    ],
)
def test_reward_table_with_the_verifier_first(round_, y, says, expected) -> None:
    assert play(nip(verifier_first=True), round=round_, y=y, says=says) == expected


@pytest.mark.parametrize(
    ("round_", "expected"),
    [(0, (RUNNING, [0, 8])), (2, (RUNNING, [0, 8])), (4, (DECIDED, [1, 2]))],
)
def test_a_decision_before_the_minimum_counts_as_going_on(round_, expected) -> None:
    """With a minimum of 4 rounds the first decisive round is round 3, the prover's."""
    handler = nip(max_rounds=6, min_rounds=4, verifier_first=True)
    assert play(handler, round=round_, y=1, says=ACCEPT) == expected


@pytest.mark.parametrize(
    ("max_rounds", "verifier_first", "questions"),
    [(8, True, 4), (8, False, 4), (7, True, 4), (7, False, 3), (1, True, 1), (2, False, 1)],
)
def test_number_of_questions(max_rounds: int, verifier_first: bool, questions: int) -> None:
    handler = nip(max_rounds=max_rounds, verifier_first=verifier_first)
    assert handler.max_verifier_questions == questions


def test_defaults_are_eight_rounds_with_the_verifier_first() -> None:
    handler = handler_of("nip")
    assert handler.max_message_rounds == 8
    assert handler.min_message_rounds == 1
    assert writers(handler, 0) == VERIFIER
