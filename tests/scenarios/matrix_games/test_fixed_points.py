"""Fixed points of the gradient rules in the games, which are known."""

import pytest
import torch

from nip.rl_objectives.opponent_shaping.exact_game import ExactGame
from nip.rl_objectives.opponent_shaping.inverse_hessian.conjugate_gradient import (
    conjugate_gradient,
)
from nip.rl_objectives.opponent_shaping.rule import Groups, ShapingRule
from nip.scenario_base.game import Game
from nip.scenarios.matrix_games.games import Chain, QuadraticStackelberg, Tandem
from nip.scenarios.matrix_games.repeated import IteratedPrisonersDilemma, MatchingPennies

pytestmark = pytest.mark.usefixtures("float64")

NAMES = ("first", "second", "third")
SEQUENCE: Groups = (("first",), ("second",), ("third",))


def play(
    game: Game,
    variant: str,
    rate: float,
    num_steps: int,
    *,
    groups: Groups | None = None,
    seed: int = 0,
    expected_rate: float | None = None,
    **options,
) -> list[torch.Tensor]:
    """Return the strategies after some steps from a standard normal start."""
    generator = torch.Generator().manual_seed(seed)
    strategies = [
        torch.randn(size, generator=generator).requires_grad_() for size in game.num_parameters
    ]
    names = NAMES[: game.num_players]
    rule = ShapingRule(
        variant,
        groups,
        dict.fromkeys(names, rate if expected_rate is None else expected_rate),
        lambda _, curvature, vector: conjugate_gradient(
            curvature, vector, rho=1e-9, num_iterations=5
        ),
        **options,
    )
    for _ in range(num_steps):
        losses = dict(zip(names, game.losses(strategies), strict=True))
        parameters = {name: [each] for name, each in zip(names, strategies, strict=True)}
        exact = ExactGame(parameters, losses)
        corrections = rule.corrections(exact)
        directions = {name: corrections.direction(exact, name) for name in names}
        with torch.no_grad():
            for name, each in zip(names, strategies, strict=True):
                each -= rate * directions[name]
    return [each.detach() for each in strategies]


@pytest.mark.parametrize(
    ("variant", "options", "rest", "total_loss"),
    [
        ("naive", {}, 1.0, 0.0),
        ("lookahead", {}, 1.0, 0.0),
        ("sos", {}, 1.0, 0.0),
        ("psos", {}, 1.0, 0.0),
        ("lola", {"has_lookahead": False}, 1.25, 0.625),
        ("pola", {"has_lookahead": False}, 1.25, 0.625),
        ("lola", {}, 4 / 3, 8 / 9),
        ("pola", {}, 4 / 3, 8 / 9),
    ],
)
def test_tandem(variant, options, rest, total_loss):
    strategies = play(Tandem(), variant, 0.1, 400, **options)
    assert float(sum(strategies)) == pytest.approx(rest, abs=1e-3)
    assert float(sum(Tandem().losses(strategies))) == pytest.approx(total_loss, abs=1e-3)


@pytest.mark.parametrize(
    ("variant", "expected_rate", "rest", "loss"),
    [
        ("naive", 0.1, (1.0, 1.0), 4.0),
        ("lola", 0.1, (2 / 3, 2 / 3), 26 / 9),
        ("pola", 0.1, (2 / 3, 2 / 3), 26 / 9),
        ("lola", 0.5, (0.0, 0.0), 2.0),
        ("spg", 0.1, (0.0, 0.0), 2.0),
        ("pspg", 0.1, (0.0, 0.0), 2.0),
        # Stable shaping keeps the equilibrium of simultaneous play.
        ("sos", 0.1, (1.0, 1.0), 4.0),
        ("psos", 0.1, (1.0, 1.0), 4.0),
    ],
)
def test_quadratic_stackelberg(variant, expected_rate, rest, loss):
    game = QuadraticStackelberg()
    strategies = play(
        game,
        variant,
        0.1,
        800,
        groups=SEQUENCE[:2],
        expected_rate=expected_rate,
        # At rest the follower does not move, so that there is nothing to look ahead to.
        has_lookahead=variant in ("sos", "psos"),
    )
    assert [float(each) for each in strategies] == pytest.approx(rest, abs=1e-3)
    assert float(game.losses(strategies)[0]) == pytest.approx(loss, abs=1e-3)


@pytest.mark.parametrize(("variant", "rest"), [("naive", (1, 2, 2)), ("spg", (-0.2, -0.4, -0.4))])
def test_a_chain_of_three_is_solved_through_both_responses(variant, rest):
    strategies = play(Chain(), variant, 0.05, 1000, groups=SEQUENCE)
    assert [float(each) for each in strategies] == pytest.approx(rest, abs=1e-3)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]
)
@pytest.mark.parametrize("variant", ["lola", "lookahead", "sos"])
def test_matching_pennies_settle_at_one_half(variant, seed):
    strategies = play(MatchingPennies(), variant, 1.0, 500, seed=seed)
    heads = [float(torch.sigmoid(each)) for each in strategies]
    assert heads == pytest.approx([0.5, 0.5], abs=1e-3)


@pytest.mark.parametrize("seed", range(2))
def test_matching_pennies_never_settle_under_plain_gradients(seed):
    strategies = play(MatchingPennies(), "naive", 1.0, 500, seed=seed)
    assert max(abs(float(torch.sigmoid(each)) - 0.5) for each in strategies) > 0.1


@pytest.mark.parametrize(
    ("variant", "options", "bounds"),
    [
        ("naive", {}, (1.97, 2.01)),
        ("lookahead", {}, (1.97, 2.01)),
        ("lola", {"has_lookahead": False}, (0.99, 1.05)),
        ("lola", {}, (0.99, 1.2)),
        ("sos", {}, (0.99, 1.3)),
    ],
)
def test_opponent_shaping_finds_cooperation(variant, options, bounds):
    game = IteratedPrisonersDilemma(0.96)
    losses = []
    for seed in range(4):
        strategies = play(game, variant, 1.0, 200, seed=seed, **options)
        losses += [float(each["exact_loss"]) for each in game.metrics(strategies)]
    assert bounds[0] < sum(losses) / len(losses) < bounds[1]
