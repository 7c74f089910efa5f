"""Metrics of opponent-aware learning."""

import torch

from nip.rl_objectives.opponent_shaping.rule import Corrections
from nip.rl_objectives.spg import shaping_metrics


def test_metrics_lie_where_the_agents_are_also_without_any_term() -> None:
    corrections = Corrections({"leader": torch.ones(4, device="meta")}, {}, torch.ones(()))
    zero = torch.zeros((), device="meta")
    metrics = shaping_metrics(corrections, ("leader", "follower"), zero)
    assert {name: each.device.type for name, each in metrics.items()} == dict.fromkeys(
        (
            "shaping_weight",
            "leader.shaping_norm",
            "leader.lookahead_norm",
            "follower.shaping_norm",
            "follower.lookahead_norm",
        ),
        "meta",
    )


def test_a_player_without_a_term_has_the_norm_zero() -> None:
    corrections = Corrections({"leader": torch.tensor([3.0, 4.0])}, {}, torch.tensor(0.5))
    metrics = shaping_metrics(corrections, ("leader", "follower"), torch.zeros(()))
    assert {name: each.item() for name, each in metrics.items()} == {
        "shaping_weight": 0.5,
        "leader.shaping_norm": 5.0,
        "leader.lookahead_norm": 0.0,
        "follower.shaping_norm": 0.0,
        "follower.lookahead_norm": 0.0,
    }
