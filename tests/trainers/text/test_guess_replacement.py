"""Guess replacement: verdicts are replaced by true labels."""

import numpy as np
import pytest

from nip.parameters.trainers import TextRlParameters
from nip.trainers.text.guess_replacement import choose_replaced, guess_replacement_share
from tests.trainers.rollout_tables import make_rollouts

VERIFIER = 0


@pytest.mark.parametrize(
    ("annealing", "shares"),
    [
        ("none", [0.5, 0.5, 0.5, 0.5]),
        ("linear", [0.5, 0.3, 0.1, 0.0]),
        ("exponential", [0.5, 0.4, 0.32, 0.256]),
    ],
)
def test_the_share_falls_as_its_annealing_says(annealing, shares):
    params = TextRlParameters(
        verifier_guess_replacement_proportion=0.5,
        verifier_guess_replacement_annealing=annealing,
        verifier_guess_replacement_annealing_rate=0.2,
    )
    found = [guess_replacement_share(iteration, params) for iteration in range(4)]
    assert found == pytest.approx(shares)


def decided(num_rollouts, num_undecided=0, **columns):
    decision = np.full((num_rollouts, 4, 2), 2)
    decision[num_undecided:, 2, VERIFIER] = np.arange(num_rollouts - num_undecided) % 2
    return make_rollouts(decision=decision, **columns)


def choose(rollouts, rows, share, seed=0, iteration=0):
    return choose_replaced(
        rollouts, np.asarray(rows), VERIFIER, share, seed=seed, iteration=iteration
    )


def test_the_share_is_met_exactly():
    rollouts = decided(20)
    for share, number in [(0.0, 0), (0.25, 5), (0.33, 7), (1.0, 20)]:
        assert choose(rollouts, range(20), share).sum() == number


def test_only_a_verdict_can_be_replaced():
    failed = [False] * 9 + [True]
    chosen = choose(decided(10, num_undecided=4, failed=failed), range(10), 1.0)
    assert np.flatnonzero(chosen).tolist() == [4, 5, 6, 7, 8]
    # Half of the five that have one, rounded to the even number.
    assert choose(decided(10, num_undecided=4, failed=failed), range(10), 0.5).sum() == 2


def test_rollouts_with_an_empty_message_are_not_selected():
    invalid = np.zeros((3, 4, 2), dtype=bool)
    invalid[0, 0, VERIFIER] = invalid[1, 1, 1 - VERIFIER] = True
    assert choose(decided(3, invalid=invalid), range(3), 1.0).tolist() == [False, True, True]


def test_examples_are_chosen_not_rollouts():
    chosen = choose(decided(3), [2, 2, 2, 2], 0.5)
    assert chosen.shape == (4,) and chosen.sum() == 2


def test_seed_and_iteration_determine_the_choice():
    rollouts = decided(40)
    first = choose(rollouts, range(40), 0.5)
    assert choose(rollouts, range(40), 0.5).tolist() == first.tolist()
    assert choose(rollouts, range(40), 0.5, seed=1).tolist() != first.tolist()
    assert choose(rollouts, range(40), 0.5, iteration=1).tolist() != first.tolist()


def test_without_examples_nothing_is_replaced():
    assert choose(decided(3), np.zeros(0, dtype=np.int64), 1.0).tolist() == []
