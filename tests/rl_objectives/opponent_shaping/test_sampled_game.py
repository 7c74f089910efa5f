"""Derivatives from sampled episodes, compared with those of the exact losses."""

from dataclasses import replace

import pytest
import torch

from nip.rl_objectives.game_shaping import sampled_game
from nip.rl_objectives.opponent_shaping.exact_game import ExactGame
from nip.rl_objectives.opponent_shaping.sampled_game import SampledActions, SampledGame
from nip.scenarios.matrix_games.repeated import IteratedPrisonersDilemma, MatchingPennies

DISCOUNT = 0.8


def strategies_of(game) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    sizes = dict(zip(("first", "second"), game.num_parameters, strict=True))
    return {
        name: torch.randn(size, generator=generator).requires_grad_()
        for name, size in sizes.items()
    }


def both(game, num_rollouts: int, num_rounds: int) -> tuple[SampledGame, ExactGame]:
    """Return a game from rollouts and from its exact losses."""
    strategies = strategies_of(game)
    generator = torch.Generator().manual_seed(0)
    rollouts = game.sample(list(strategies.values()), num_rollouts, num_rounds, generator)
    losses = dict(zip(strategies, game.losses(list(strategies.values())), strict=True))
    exact = ExactGame({name: [each] for name, each in strategies.items()}, losses)
    return sampled_game(strategies, strategies, rollouts, DISCOUNT), exact


def assert_near(found: torch.Tensor, exact: torch.Tensor, share: float) -> None:
    assert float((found - exact).norm()) < share * float(exact.norm())


@pytest.mark.parametrize("game", [IteratedPrisonersDilemma(DISCOUNT), MatchingPennies()])
def test_the_derivatives_converge_to_the_exact_ones(game):
    sampled, exact = both(game, 40_000, 30)
    for player in exact.names:
        for loss in exact.names:
            pair = sampled.gradient(player, loss), exact.gradient(player, loss)
            assert_near(*pair, 0.05)
    for row, column in (("first", "second"), ("second", "first")):
        for loss in exact.names:
            vector = exact.gradient(column, loss)
            pair = (each.mixed_product(row, column, loss, vector) for each in (sampled, exact))
            assert_near(*pair, 0.15)


def test_products_of_means_vanish_for_the_present_policy():
    # This is why they are not the default: the expectation of a score is 0.
    sampled, exact = both(MatchingPennies(), 40_000, 1)
    sampled.mixed_derivative = "mean_scores"
    vector = exact.gradient("second", "first")
    wanted = exact.mixed_product("first", "second", "second", vector)
    found = sampled.mixed_product("first", "second", "second", vector)
    assert float(found.norm()) < 0.05 * float(wanted.norm())


def one_shot(mixed_derivative, repeats: int, clip_epsilon: float | None = None) -> SampledGame:
    """Return a game of four frames in which both players act, each repeated."""
    logits = [torch.tensor([each], requires_grad=True) for each in (0.3, -0.4)]
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    players = {}
    for index, name in enumerate(("first", "second")):
        log_prob = torch.nn.functional.logsigmoid(signs[:, index] * logits[index])
        ratio = (log_prob - log_prob.detach()).exp().repeat(repeats).view(-1, 1)
        players[name] = SampledActions(
            (logits[index],),
            ratio,
            torch.ones_like(ratio),
            torch.tensor(4.0 * repeats),
            torch.zeros(()),
        )
    advantages = {
        "first": torch.tensor([1.0, -2.0, 0.5, 0.0]).repeat(repeats).view(-1, 1),
        "second": torch.tensor([-1.0, 1.0, 3.0, 2.0]).repeat(repeats).view(-1, 1),
    }
    done = torch.ones(4 * repeats, 1, dtype=torch.bool)
    return SampledGame(players, advantages, done, 1.0, clip_epsilon, mixed_derivative)


@pytest.mark.parametrize("mixed_derivative", ["episodes", "mean_scores"])
def test_no_derivative_depends_on_the_size_of_the_minibatch(mixed_derivative):
    # The published code summed scores, so that shaping grew with the minibatch.
    once, often = one_shot(mixed_derivative, 1), one_shot(mixed_derivative, 16)
    vector = torch.tensor([0.7])
    for game in (once, often):
        assert game.mixed_product("first", "second", "second", vector).abs() > 1e-4
    pairs = [
        (game.mixed_product("first", "second", "second", vector) for game in (once, often)),
        (game.gradient("first", "second") for game in (once, often)),
        (game.curvature("second").product(vector) for game in (once, often)),
    ]
    for one, other in pairs:
        torch.testing.assert_close(one, other)


def scores(logit: float, signs: list[float]) -> torch.Tensor:
    """Return the derivatives of log sigmoid(sign * logit)."""
    return torch.tensor([s * torch.sigmoid(torch.tensor(-s * logit)).item() for s in signs])


def test_the_products_of_means_are_those_of_the_specification():
    first, second = scores(0.3, [1, 1, -1, 1]), scores(-0.4, [1, -1, 1, 1])
    advantage, vector = torch.tensor([-1.0, 1.0, 3.0, 2.0]), 0.7
    own, other = -(first * advantage).mean(), -(second * advantage).mean()
    expected = vector * second.mean() * own + vector * other * first.mean()
    game = one_shot("mean_scores", 1)
    found = game.mixed_product("first", "second", "second", torch.tensor([vector]))
    torch.testing.assert_close(found, expected.view(1))


def test_the_products_over_episodes_are_means_of_products():
    first, second = scores(0.3, [1, 1, -1, 1]), scores(-0.4, [1, -1, 1, 1])
    expected = -(0.7 * first * second * torch.tensor([-1.0, 1.0, 3.0, 2.0])).mean()
    found = one_shot("episodes", 1).mixed_product("first", "second", "second", torch.tensor([0.7]))
    torch.testing.assert_close(found, expected.view(1))


def test_clipped_actions_have_no_derivative():
    game = one_shot("episodes", 1, clip_epsilon=0.2)
    plain = one_shot("episodes", 1)
    torch.testing.assert_close(game.gradient("first", "first"), plain.gradient("first", "first"))
    moved = {
        name: replace(player, ratio=player.ratio * 1.5) for name, player in game.players.items()
    }
    game = SampledGame(moved, game.advantages, game.done, 1.0, clip_epsilon=0.2)
    # A ratio above the range still counts where the advantage is negative, as in PPO.
    gradient = game.gradient("first", "first")
    first = scores(0.3, [1, 1, -1, 1])
    torch.testing.assert_close(gradient, -(1.5 * first[1] * -2.0 / 4).view(1))
    vector = torch.ones(1)
    assert game.mixed_product("first", "second", "second", vector).item() == 0.0
