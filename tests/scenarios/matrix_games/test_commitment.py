"""Rewards of the game of commitment, worked out by hand."""

import pytest
import torch

from nip.scenarios.matrix_games.commitment import ENTROPY_EPS, Commitment

SURE = 60.0


def outcome(hidden, shown, place) -> tuple[float, float, float]:
    """Return rewards of verifier and prover, and the accuracy, for given probabilities."""
    strategies = [
        torch.tensor([hidden, shown]).log().clamp_min(-SURE).flatten(),
        torch.tensor(place).log().clamp_min(-SURE),
    ]
    found = Commitment().metrics(strategies)
    losses = [each["exact_loss"].item() for each in found]
    policies = [torch.tensor([hidden, shown]), torch.tensor(place)]
    entropies = [-(torch.xlogy(each, each)).sum(-1) for each in policies]
    is_shown = place[0] / 3
    bonus = entropies[0] @ torch.tensor([1 - is_shown, is_shown]), entropies[1]
    rewards = [-loss - ENTROPY_EPS * b.item() for loss, b in zip(losses, bonus, strict=True)]
    return *rewards, found[0]["expected_accuracy"].item()


REJECT, ACCEPT = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
SHOW, HIDE = [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("hidden", "shown", "place", "expected"),
    [
        # The equilibrium of simultaneous play.
        (ACCEPT, REJECT, HIDE, (1 / 3, 0.1, 2 / 3)),
        (ACCEPT, REJECT, SHOW, (1.0, 0.0, 1.0)),
        (REJECT, REJECT, HIDE, (-1 / 3, 0.0, 1 / 3)),
        # A committed verifier: hiding pays 0.08 - 1, and showing 0.
        ([0.0, 0.8, 0.2], REJECT, SHOW, (1 - 0.8 / 3, 0.0, 1 - 0.4 / 3)),
        ([0.0, 0.8, 0.2], REJECT, HIDE, (0.4 - 1 / 3, -0.92, 1.6 / 3)),
        # At 1/51 the prover is indifferent.
        ([0.0, 50 / 51, 1 / 51], REJECT, HIDE, (2 / 3 * 49 / 51 - 1 / 3, 0.0, 2 / 3 * 50 / 51)),
    ],
)
def test_expected_rewards_and_accuracy(hidden, shown, place, expected):
    assert outcome(hidden, shown, place) == pytest.approx(expected, abs=1e-5)
