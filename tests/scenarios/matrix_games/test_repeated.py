"""Values of repeated games that are worked out by hand, and rollouts that agree with them."""

import pytest
import torch

from nip.scenarios.matrix_games.repeated import IteratedPrisonersDilemma, MatchingPennies

SURE = 50.0
COOPERATE, DEFECT = [SURE] * 5, [-SURE] * 5
TIT_FOR_TAT = [SURE, SURE, -SURE, SURE, -SURE]
CONTRARY = [-SURE, -SURE, SURE, -SURE, SURE]
"""Defects first, and then does what the other did not do."""


def metrics(first, second, discount=0.5):
    strategies = [torch.tensor(first), torch.tensor(second)]
    return IteratedPrisonersDilemma(discount).metrics(strategies)


@pytest.mark.parametrize(
    ("first", "second", "losses"),
    [
        (COOPERATE, COOPERATE, (1, 1)),
        (DEFECT, DEFECT, (2, 2)),
        (COOPERATE, DEFECT, (3, 0)),
        (TIT_FOR_TAT, TIT_FOR_TAT, (1, 1)),
        # The first loses 3 once and then 2; the second nothing once and then 2.
        (TIT_FOR_TAT, DEFECT, (2.5, 1.0)),
        ([0.0] * 5, [0.0] * 5, (1.5, 1.5)),
    ],
)
def test_the_loss_of_an_average_round(first, second, losses):
    found = metrics(first, second)
    assert [each["exact_loss"].item() for each in found] == pytest.approx(losses)


def test_each_player_remembers_its_own_action_first():
    # cd for the first is dc for the second, who is contrary: cd, then (d, d)? It repeats what the
    # first has not done: after (c, d) the first defects, and the second, who saw c, defects.
    found = metrics(TIT_FOR_TAT, CONTRARY)
    # Rounds: (c, d), (d, d), (d, c), (c, c), (c, d), ... with the weights 1/2, 1/4, 1/8, ...
    expected = (3 / 2 + 2 / 4 + 0 / 8 + 1 / 16) / (1 - 1 / 16)
    assert found[0]["exact_loss"].item() == pytest.approx(expected)


def test_cooperation_is_weighted_like_the_loss():
    found = metrics(TIT_FOR_TAT, DEFECT)
    assert found[0]["cooperation"].item() == pytest.approx(0.5)
    assert found[1]["cooperation"].item() == pytest.approx(0.0)
    assert found[0]["cooperation_after_cd"].item() == pytest.approx(0.0)
    assert found[0]["cooperation_after_dc"].item() == pytest.approx(1.0)


def test_rollouts_have_the_expected_rewards():
    generator = torch.Generator().manual_seed(0)
    game = IteratedPrisonersDilemma(0.5)
    strategies = [torch.randn(5, generator=generator) for _ in range(2)]
    rollouts = game.sample(strategies, 20_000, 20, generator)
    weights = 0.5 ** torch.arange(20)
    found = -(rollouts.reward * weights[:, None]).sum(1).mean(0)
    torch.testing.assert_close(found, torch.stack(game.losses(strategies)), rtol=0.02, atol=0.02)
    sure = game.sample([torch.tensor(TIT_FOR_TAT), torch.tensor(CONTRARY)], 1, 5, generator)
    assert sure.action[0].tolist() == [[0, 1], [1, 1], [1, 0], [0, 0], [0, 1]]


def test_pennies_are_won_by_who_matches():
    game, generator = MatchingPennies(), torch.Generator().manual_seed(0)
    strategies = [torch.tensor([1.0]), torch.tensor([-0.5])]
    rollouts = game.sample(strategies, 40_000, 7, generator)
    assert rollouts.reward.shape == (40_000, 1, 2)
    found = -rollouts.reward.mean((0, 1))
    torch.testing.assert_close(found, torch.stack(game.losses(strategies)), rtol=0.05, atol=0.01)
