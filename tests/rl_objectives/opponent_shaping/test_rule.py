"""Directions of the gradient rules, compared with derivatives that are worked out by hand."""

import pytest
import torch

from nip.rl_objectives.opponent_shaping.exact_game import ExactGame
from nip.rl_objectives.opponent_shaping.inverse_hessian.conjugate_gradient import (
    conjugate_gradient,
)
from nip.rl_objectives.opponent_shaping.rule import VARIANTS, Groups, ShapingRule, Variant

pytestmark = pytest.mark.usefixtures("float64")

LEADER_FIRST: Groups = (("leader",), ("follower",))


def make_rule(
    variant: Variant, groups: Groups | None = LEADER_FIRST, rate: float = 0.5, **options
) -> ShapingRule:
    names = ("leader", "middle", "follower")
    return ShapingRule(
        variant,
        groups,
        dict.fromkeys(names, rate),
        lambda _, curvature, vector: conjugate_gradient(
            curvature, vector, rho=1e-12, num_iterations=10
        ),
        **options,
    )


def game_at(x: float, y: float) -> ExactGame:
    """Return a game in which the best response of the follower is 3x / (2 + x^2)."""
    leader, follower = (torch.tensor([each], requires_grad=True) for each in (x, y))
    losses = {
        "leader": ((leader - 1) ** 2 + follower**3 + leader * follower).sum(),
        "follower": ((2 + leader**2) * follower**2 / 2 - 3 * leader * follower).sum(),
    }
    return ExactGame({"leader": [leader], "follower": [follower]}, losses)


def directions(rule: ShapingRule, game: ExactGame) -> dict[str, torch.Tensor]:
    """Return the directions of descent of all players."""
    corrections = rule.corrections(game)
    return {name: corrections.direction(game, name) for name in game.names}


def best_response(x: float) -> float:
    return 3 * x / (2 + x**2)


@pytest.mark.parametrize("variant", ["spg", "pspg"])
@pytest.mark.parametrize("x", [-1.0, 0.3, 2.0])
def test_spg_differentiates_through_the_best_response(variant, x):
    def value(x: float) -> float:
        y = best_response(x)
        return (x - 1) ** 2 + y**3 + x * y

    differences = (value(x + 1e-5) - value(x - 1e-5)) / 2e-5
    found = directions(make_rule(variant), game_at(x, best_response(x)))
    assert found["leader"].item() == pytest.approx(differences, rel=1e-6)
    # At its best response the follower stays.
    assert found["follower"].item() == pytest.approx(0.0, abs=1e-9)


def test_the_inverse_hessian_product_is_of_the_leaders_loss_in_the_followers_parameters():
    # The published code took a part of the leader's loss that does not depend on the follower, so
    # that spg was independent learning.
    found = make_rule("spg").corrections(game_at(0.3, 1.0))
    # (d^2 L_f / dx dy) (d^2 L_f / dy^2)^-1 (dL_l / dy) = (2xy - 3) / (2 + x^2) * (3y^2 + x)
    expected = (2 * 0.3 - 3) / (2 + 0.3**2) * (3 + 0.3)
    assert found.shaping["leader"].item() == pytest.approx(expected)


@pytest.mark.parametrize("x", [-1.0, 0.3, 2.0])
def test_lola_differentiates_through_one_step_of_the_follower(x):
    y, rate = 0.7, 1e-4

    def value(x: float) -> float:
        step = y - rate * ((2 + x**2) * y - 3 * x)
        return (x - 1) ** 2 + step**3 + x * step

    differences = (value(x + 1e-5) - value(x - 1e-5)) / 2e-5
    found = directions(make_rule("lola", rate=rate), game_at(x, y))
    # LOLA is its first-order approximation in the learning rate.
    assert found["leader"].item() == pytest.approx(differences, abs=1e-5)


def terms(variant: Variant, **options) -> tuple[float, float]:
    """Return the shaping and the look-ahead term of the leader at x = 0.3 and y = 1."""
    found = make_rule(variant, **options).corrections(game_at(0.3, 1.0))
    kinds = (found.shaping, found.lookahead)
    shaping, lookahead = (kind.get("leader", torch.zeros(1)).item() for kind in kinds)
    return shaping, lookahead


SHAPING = 0.5 * (2 * 0.3 - 3) * (3 + 0.3)
LOOKAHEAD = 0.5 * 1.0 * ((2 + 0.3**2) - 3 * 0.3)
"""Half of (d^2 L_l / dx dy) (dL_f / dy)."""


@pytest.mark.parametrize(
    ("variant", "options", "expected"),
    [
        ("naive", {}, (0.0, 0.0)),
        ("lookahead", {}, (0.0, LOOKAHEAD)),
        ("lola", {}, (SHAPING, LOOKAHEAD)),
        ("pola", {}, (SHAPING, LOOKAHEAD)),
        # The published code failed without the additional term.
        ("lola", {"has_lookahead": False}, (SHAPING, 0.0)),
        ("pola", {"has_lookahead": False}, (SHAPING, 0.0)),
        ("sos", {"has_lookahead": False}, (SHAPING, LOOKAHEAD)),
        ("psos", {}, (SHAPING, LOOKAHEAD)),
    ],
)
def test_each_variant_has_its_terms(variant, options, expected):
    assert terms(variant, **options) == pytest.approx(expected)


@pytest.mark.parametrize("variant", ["sos", "psos"])
def test_stable_shaping_sees_the_plain_gradients(variant):
    # The published code corrected the gradients in place before it compared their norm with the
    # threshold. Here they are 0, so that the shaping term has no weight, however large it is.
    leader, follower = (torch.tensor([each], requires_grad=True) for each in (0.0, 0.0))
    losses = {
        "leader": (leader**2 + 5 * follower**2 + leader * follower).sum(),
        "follower": (follower**2 - 3 * leader * follower).sum(),
    }
    game = ExactGame({"leader": [leader], "follower": [follower]}, losses)
    found = make_rule(variant).corrections(game)
    assert found.shaping_weight.item() == 0.0
    plain = directions(make_rule("naive"), game_at(0.3, 1.0))
    game = game_at(0.3, 1.0)
    make_rule("sos").corrections(game)
    assert game.gradient("leader", "leader").equal(plain["leader"])


def chain_at(x: float, y: float, z: float) -> ExactGame:
    """Return a game in which the last player follows both others, and the middle one the first."""
    values = [torch.tensor([each], requires_grad=True) for each in (x, y, z)]
    first, second, third = values
    losses = {
        "leader": ((first - 1) ** 2 + third**2 + 2 * second * third).sum(),
        "middle": (2 * (second - first) ** 2 + second**2).sum(),
        "follower": ((third - second) ** 2 + 3 * (third + first) ** 2).sum(),
    }
    names = ("leader", "middle", "follower")
    return ExactGame({name: [each] for name, each in zip(names, values, strict=True)}, losses)


@pytest.mark.parametrize("x", [-0.5, 1.5])
def test_a_sequence_of_three_is_differentiated_through_all_responses(x):
    def responses(x: float) -> tuple[float, float]:
        y = 2 * x / 3
        return y, (y - 3 * x) / 4

    def value(x: float) -> float:
        y, z = responses(x)
        return (x - 1) ** 2 + z**2 + 2 * y * z

    differences = (value(x + 1e-5) - value(x - 1e-5)) / 2e-5
    rule = make_rule("spg", (("leader",), ("middle",), ("follower",)))
    found = directions(rule, chain_at(x, *responses(x)))
    assert found["leader"].item() == pytest.approx(differences, rel=1e-6)


def test_followers_of_one_group_do_not_anticipate_each_other():
    rule = make_rule("lola", (("leader",), ("middle", "follower")))
    both = rule.corrections(chain_at(1.0, 1.0, 1.0))
    assert set(both.shaping) == {"leader"}
    assert both.shaping["leader"].item() != 0.0


def test_players_who_do_not_learn_are_not_anticipated():
    game = game_at(0.3, 1.0)
    losses = {name: game._losses[name] for name in ("leader", "follower")}
    alone = ExactGame({"leader": game._parameters["leader"]}, losses)
    for variant in VARIANTS:
        found = directions(make_rule(variant), alone)
        assert found["leader"].item() == pytest.approx(2 * (0.3 - 1) + 1.0)
        assert set(found) == {"leader"}


def test_without_a_sequence_everybody_anticipates_the_others():
    found = make_rule("lola", None).corrections(game_at(0.3, 1.0))
    sequence = make_rule("lola").corrections(game_at(0.3, 1.0))
    torch.testing.assert_close(found.shaping["leader"], sequence.shaping["leader"])
    # (d^2 L_l / dx dy) (dL_f / dx) and (d^2 L_f / dx dy) (dL_l / dx), times the rate.
    assert found.shaping["follower"].item() == pytest.approx(0.5 * 1.0 * (0.3 - 3.0))
    assert found.lookahead["follower"].item() == pytest.approx(
        0.5 * (2 * 0.3 - 3) * (2 * (0.3 - 1) + 1.0)
    )
