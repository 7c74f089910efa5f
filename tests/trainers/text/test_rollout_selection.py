"""Selection of training rollouts in expert iteration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.parameters.trainers import PureTextEiParameters
from nip.trainers.text.rollout_selection import (
    balance_verdicts,
    select_rollouts,
    selection_weights,
    thinned,
)
from tests.trainers.rollout_tables import make_rollouts

AGENTS = ("verifier", "prover")


def select(rollouts, agent="prover", seed=1, iteration=0, **params):
    chosen = select_rollouts(
        rollouts, AGENTS, agent, PureTextEiParameters(**params), seed=seed, iteration=iteration
    )
    return chosen.tolist()


def with_rewards(*rewards, **columns):
    """Return rollouts in which the prover, and it alone, earns in the last round."""
    return make_rollouts(reward=[[0.0, reward] for reward in rewards], **columns)


def test_a_reward_equal_to_the_threshold_is_selected():
    rollouts = with_rewards(1.0, 0.9, 0.89, -1.0)
    assert select(rollouts) == [0, 1]
    assert select(rollouts, reward_threshold=-1.0) == [0, 1, 2, 3]
    assert select(rollouts, reward_threshold=1.1) == []
    assert select(rollouts, agent="verifier") == [], "its rewards are all 0"


def test_the_reward_is_that_of_the_whole_rollout():
    reward = np.zeros((2, 4, 2))
    reward[:, :, 1] = [[0.5, 0.0, 0.5, 0.0], [1.0, 0.0, 0.0, -1.0]]
    assert select(make_rollouts(reward=reward)) == [0]


@pytest.mark.parametrize("method", ["threshold", "weighted_sampling"])
def test_what_cannot_be_an_example_is_never_chosen(method):
    invalid = np.zeros((4, 4, 2), dtype=bool)
    invalid[0, 1, 1] = True  # the prover gave up
    invalid[3, 0, 0] = True  # the verifier did
    active = make_rollouts(y=[1] * 4)["agents", "active"]
    active[1, :, 1] = False
    rollouts = with_rewards(
        1, 1, 1, 1, failed=[False, False, True, False], invalid=invalid, active=active
    )
    chosen = select(rollouts, rollout_selection_method=method, weighting_sample_size_factor=5.0)
    assert set(chosen) == {3}
    assert len(chosen) == (1 if method == "threshold" else 5)


@given(order=st.permutations(range(6)), seed=st.integers(0, 5))
def test_the_order_of_completion_does_not_matter(order, seed):
    rollouts = with_rewards(1.0, 0.0, 0.5, 1.0, -1.0, 2.0)
    for method in ("threshold", "weighted_sampling"):
        chosen = select(rollouts, seed=seed, rollout_selection_method=method)
        turned = select(rollouts[list(order)], seed=seed, rollout_selection_method=method)
        assert [order[row] for row in turned] == chosen


def test_weights_worked_by_hand():
    # Above the minimum −1: 0, 2, 1, 1. Divided by 4: 0, ½, ¼, ¼. Plus 0.04/4, divided by 1.04.
    rewards = np.array([-1.0, 1.0, 0.0, 0.0])
    weights = selection_weights(rewards, PureTextEiParameters(weighting_epsilon=0.04))
    assert weights == pytest.approx(np.array([0.01, 0.51, 0.26, 0.26]) / 1.04)
    # Above the floor 0: 0, 1, 0, 0, and 0 for what lies below it.
    params = PureTextEiParameters(weighting_minimum=0.0, weighting_epsilon=0.0)
    assert selection_weights(rewards, params).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("minimum", [None, 5.0])
def test_rewards_that_do_not_differ_have_equal_weights(minimum):
    params = PureTextEiParameters(weighting_minimum=minimum)
    assert selection_weights(np.full(4, 3.0), params).tolist() == [0.25] * 4
    assert selection_weights(np.zeros(0), params).tolist() == []


@given(
    rewards=st.lists(st.floats(-10, 10), min_size=1, max_size=20),
    epsilon=st.floats(0, 2, width=32, allow_subnormal=False),
    minimum=st.none() | st.floats(-10, 10, width=32, allow_subnormal=False),
)
def test_weights_are_probabilities_in_the_order_of_rewards(rewards, epsilon, minimum):
    params = PureTextEiParameters(weighting_epsilon=epsilon, weighting_minimum=minimum)
    weights = selection_weights(np.array(rewards), params)
    assert weights.sum() == pytest.approx(1) and weights.min() >= 0
    assert np.all(np.diff(weights[np.argsort(rewards)]) >= -1e-12)


def test_rollouts_are_drawn_as_often_as_their_weights_say():
    rollouts = with_rewards(0.0, 1.0, 2.0, 3.0)
    chosen = select(
        rollouts,
        rollout_selection_method="weighted_sampling",
        weighting_sample_size_factor=1500.0,
        weighting_epsilon=0.2,
    )
    expected = 6000 * (np.array([0, 1, 2, 3]) / 6 + 0.05) / 1.2
    observed = np.bincount(chosen, minlength=4)
    chi_square = ((observed - expected) ** 2 / expected).sum()
    assert chi_square < 16.27, "the 99.9 % quantile with 3 degrees of freedom"
    assert chosen == sorted(chosen)


def test_without_replacement_nothing_is_drawn_twice():
    rewards = [float(row % 7) for row in range(40)]
    params = {"rollout_selection_method": "weighted_sampling", "weighting_use_replacement": False}
    chosen = select(with_rewards(*rewards), weighting_sample_size_factor=0.75, **params)
    assert len(set(chosen)) == len(chosen) == 30
    # Only two have a weight above 0, so no more can be drawn.
    few = select(
        with_rewards(0.0, 0.0, 1.0, 2.0),
        weighting_sample_size_factor=1.0,
        weighting_epsilon=0.0,
        **params,
    )
    assert few == [2, 3]


def test_seed_iteration_and_agent_each_change_the_sample():
    reward = np.arange(80.0).reshape(40, 2)
    rollouts = make_rollouts(reward=reward)
    params = {"rollout_selection_method": "weighted_sampling"}
    samples = [
        select(rollouts, seed=1, **params),
        select(rollouts, seed=2, **params),
        select(rollouts, seed=1, iteration=1, **params),
        select(rollouts, seed=1, agent="verifier", **params),
    ]
    assert len({tuple(sample) for sample in samples}) == 4
    assert select(rollouts, seed=1, **params) == samples[0]


def test_from_nothing_nothing_is_selected():
    rollouts = with_rewards(1.0, 1.0, failed=[True, True])
    assert select(rollouts) == []
    assert select(rollouts, rollout_selection_method="weighted_sampling") == []


def test_balanced_verdicts_are_equally_many_and_keep_the_order():
    rollouts = make_rollouts(verdict=[1, 1, 0, 1, 2, 1, 0, 1])
    rows = np.array([0, 1, 2, 3, 4, 5, 6, 7])
    kept = balance_verdicts(rollouts, rows, seed=1, iteration=0)
    assert sorted(rollouts["verdict"][kept].tolist()) == [0, 0, 1, 1]
    assert kept.tolist() == sorted(kept.tolist())
    assert set(kept.tolist()) > {2, 6}
    again = balance_verdicts(rollouts, rows, seed=1, iteration=0)
    assert again.tolist() == kept.tolist()
    draws = {
        tuple(balance_verdicts(rollouts, rows, seed=seed, iteration=iteration).tolist())
        for seed in range(5)
        for iteration in range(5)
    }
    assert len(draws) > 5
    assert balance_verdicts(rollouts, rows[:2], seed=1, iteration=0).tolist() == []


@pytest.mark.parametrize(
    ("reject_weight", "numbers"),
    [
        (1.0, (4, 4)),
        (1.5, (6, 4)),
        (2.0, (6, 3)),
        (0.5, (2, 4)),
        (1e-308, (0, 4)),
        (1e308, (0, 0)),
    ],
)
def test_there_can_be_more_rejections_than_acceptances(reject_weight, numbers):
    rollouts = make_rollouts(verdict=[1, 0, 0, 1, 0, 1, 0, 2, 0, 1, 0])
    kept = balance_verdicts(rollouts, np.arange(11), reject_weight, seed=1, iteration=0)
    verdicts = rollouts["verdict"][kept].tolist()
    assert (verdicts.count(0), verdicts.count(1), len(verdicts)) == (*numbers, sum(numbers))


@pytest.mark.parametrize(
    ("weight", "numbers"), [(2.0, [30, 10, 3]), (1.4, [30, 14, 3]), (1.0, [30, 20, 3])]
)
def test_a_share_of_the_acceptances_is_kept(weight: float, numbers: list[int]) -> None:
    decisions = np.random.default_rng(0).permutation([0] * 30 + [1] * 20 + [2] * 3)
    kept = thinned(decisions, weight, seed=0, iteration=0)
    assert np.bincount(decisions[kept]).tolist() == numbers
    assert np.all(np.diff(kept) > 0)
    assert np.array_equal(kept, thinned(decisions, weight, seed=0, iteration=0))
    if weight > 1:
        assert not np.array_equal(kept, thinned(decisions, weight, seed=0, iteration=1))


def test_below_one_a_share_of_the_rejections_is_kept() -> None:
    decisions = np.array([0] * 30 + [1] * 20)
    kept = thinned(decisions, 0.1, seed=0, iteration=0)
    assert np.bincount(decisions[kept]).tolist() == [3, 20]
    assert len(thinned(decisions[:0], 0.1, seed=0, iteration=0)) == 0
