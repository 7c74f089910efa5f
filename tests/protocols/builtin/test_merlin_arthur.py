"""One of two provers speaks, picked by the seed. Rewards are (prover0, prover1, verifier)."""

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

EVEN_SEEDS, ODD_SEEDS = [0, 2, 6198, 2**16 - 2], [1, 3, 6199, 2**16 - 1]


@pytest.mark.parametrize("seed", EVEN_SEEDS)
def test_an_even_seed_lets_prover0_speak(seed: int) -> None:
    assert writers(handler_of("merlin_arthur"), 0, seed) == {("prover0", "main")}


@pytest.mark.parametrize("seed", ODD_SEEDS)
def test_an_odd_seed_lets_prover1_speak(seed: int) -> None:
    assert writers(handler_of("merlin_arthur"), 0, seed) == {("prover1", "main")}


@pytest.mark.parametrize("seed", EVEN_SEEDS + ODD_SEEDS)
@pytest.mark.parametrize("verifier_first", [True, False])
def test_the_verifier_follows_and_has_one_turn(seed: int, verifier_first: bool) -> None:
    handler = handler_of("merlin_arthur", common={"verifier_first": verifier_first})
    assert writers(handler, 1, seed) == {("verifier", "main")}
    assert handler.max_message_rounds == 2
    assert handler.max_verifier_questions == 1


@pytest.mark.parametrize("seed", [4, 7])
@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        (0, 1, ACCEPT, (RUNNING, [0, 0, 0])),
        (1, 0, REJECT, (DECIDED, [1, 0, 2])),
        (1, 1, REJECT, (DECIDED, [1, 0, -16])),
        (1, 1, ACCEPT, (DECIDED, [0, 1, 2])),
        (1, 0, ACCEPT, (DECIDED, [0, 1, -16])),
        (1, 1, CONTINUE, (TERMINATED, [0, 0, -4])),
    ],
)
def test_the_silent_prover_is_paid_like_the_one_that_spoke(seed, round_, y, says, expected) -> None:
    handler = handler_of("merlin_arthur")
    assert play(handler, round=round_, y=y, says=says, seed=seed) == expected
