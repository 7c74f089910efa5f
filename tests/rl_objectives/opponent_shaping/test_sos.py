"""The weight of the shaping term, by hand."""

import pytest
import torch

from nip.rl_objectives.opponent_shaping.sos import StableShaping

RULE = StableShaping(scaling_factor=0.5, threshold_factor=0.1)


@pytest.mark.parametrize(
    ("gradient", "lookahead", "shaping", "weight"),
    [
        # Shaping goes the same way as the descent along the look-ahead gradient.
        ([1.0, 0.0], [1.0, 0.0], [-3.0, 0.0], 1.0),
        # At right angles.
        ([1.0, 0.0], [1.0, 0.0], [0.0, 5.0], 1.0),
        # Against it, but not by more than half of it.
        ([1.0, 0.0], [1.0, 0.0], [0.4, 0.0], 1.0),
        # Against it: 0.5 * 1 / 2.
        ([1.0, 0.0], [1.0, 0.0], [2.0, 0.0], 0.25),
        # Near a fixed point: the squared norm of the plain gradient, not of the corrected one.
        ([0.03, 0.04], [1.0, 0.0], [-3.0, 0.0], 0.0025),
        # Both bounds hold, and the smaller one decides.
        ([0.03, 0.04], [1.0, 0.0], [1000.0, 0.0], 0.0005),
    ],
)
def test_the_weight_is_the_smaller_of_both_bounds(gradient, lookahead, shaping, weight):
    vectors = [torch.tensor(each) for each in (gradient, lookahead, shaping)]
    assert RULE.weight(*vectors).item() == pytest.approx(weight)
