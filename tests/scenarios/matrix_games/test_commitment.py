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
    bonus = [-(torch.xlogy(each, each)).sum(-1).mean().item() * ENTROPY_EPS for each in policies]
    rewards = [-loss - each for loss, each in zip(losses, bonus, strict=True)]
    return *rewards, found[0]["expected_accuracy"].item()


REJECT, ACCEPT = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
SHOW, HIDE = [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("hidden", "shown", "place", "expected"),
    [
        # The equilibrium of simultaneous play.
        (REJECT, ACCEPT, HIDE, (0.0, 1 / 6, 0.5)),
        (REJECT, ACCEPT, SHOW, (1.0, 0.0, 1.0)),
        (ACCEPT, ACCEPT, HIDE, (-0.5, 0.0, 0.5)),
        # A committed verifier: hiding pays (0.8 / 3 - 0.6) / 2, and showing 0.
        ([0.8, 0.0, 0.2], ACCEPT, SHOW, (0.8, 0.0, 0.9)),
        ([0.8, 0.0, 0.2], ACCEPT, HIDE, (-0.2, (0.8 / 3 - 0.6) / 2, 0.4)),
        # At one tenth the prover is indifferent.
        ([0.9, 0.0, 0.1], ACCEPT, HIDE, (-0.1, 0.0, 0.45)),
    ],
)
def test_expected_rewards_and_accuracy(hidden, shown, place, expected):
    assert outcome(hidden, shown, place) == pytest.approx(expected, abs=1e-5)
