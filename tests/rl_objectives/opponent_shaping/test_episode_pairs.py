"""Sums over pairs of actions, compared with the sums written out."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from nip.rl_objectives.opponent_shaping.episode_pairs import pair_weights


@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
def test_it_sums_over_the_pairs_of_each_episode(seed, num_steps, discount):
    generator = torch.Generator().manual_seed(seed)
    slopes, advantage = torch.randn(2, 3, num_steps, generator=generator, dtype=torch.float64)
    done = torch.rand(3, num_steps, generator=generator) < 0.3
    expected = torch.zeros_like(slopes)
    for row in range(3):
        for own in range(num_steps):
            for other in range(num_steps):
                first, last = sorted((own, other))
                if not done[row, first:last].any():
                    weight = discount ** (last - first) * advantage[row, last]
                    expected[row, own] += weight * slopes[row, other]
    torch.testing.assert_close(pair_weights(slopes, advantage, done, discount), expected)
