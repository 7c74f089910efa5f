"""The probability that a run of one group is better than a run of another."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from nip.comparison.estimates import Sample
from nip.comparison.improvement import (
    exact_interval,
    newcombe_interval,
    pair_probabilities,
    probability_of_improvement,
)
from nip.errors import ParameterError

FIRST = (0.61, 0.74, 0.58, 0.9, 0.66)
SECOND = (0.41, 0.52, 0.47)


@pytest.mark.parametrize("num_strata", [1, 3])
def test_the_probability_of_improvement_is_that_of_rliable(num_strata: int) -> None:
    rng = np.random.default_rng(num_strata)
    # Rounded, so that there are ties.
    first = rng.normal(0.5, 1, size=(5, num_strata)).round(1)
    second = rng.normal(size=(4, num_strata)).round(1)
    # rliable.metrics.probability_of_improvement: U of Mann and Whitney per task, over the pairs.
    expected = np.mean(
        [
            stats.mannwhitneyu(x, y, alternative="greater").statistic / (len(x) * len(y))
            for x, y in zip(first.T, second.T, strict=True)
        ]
    )
    found = probability_of_improvement(Sample.of(*first.T), Sample.of(*second.T))
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert 0 <= found.low < found.value < found.high <= 1


def test_if_all_runs_are_better_the_interval_ends_where_the_score_test_rejects() -> None:
    found = probability_of_improvement(Sample.of(FIRST), Sample.of(SECOND))
    assert (found.value, found.high) == (1, 1)
    theta, z, size = found.low, stats.norm.ppf(0.975), (5 + 3) / 2 - 1
    variance = theta * (1 - theta) / 15
    variance *= 1 + size * (1 - theta) / (2 - theta) + size * theta / (1 + theta)
    assert (1 - theta) / sqrt(variance) == pytest.approx(z, abs=1e-6)


def test_the_probability_of_the_other_group_is_the_rest() -> None:
    one = probability_of_improvement(Sample.of(FIRST), Sample.of((*SECOND, 0.7)))
    other = probability_of_improvement(Sample.of((*SECOND, 0.7)), Sample.of(FIRST))
    mirrored = (1 - other.value, 1 - other.high, 1 - other.low)
    assert (one.value, one.low, one.high) == pytest.approx(mirrored, abs=1e-9)


def test_groups_of_different_strata_are_refused() -> None:
    with pytest.raises(ParameterError, match="1 and 2 strata"):
        probability_of_improvement(Sample.of(FIRST), Sample.of(SECOND, SECOND))


def test_without_a_difference_pairs_are_distributed_as_mann_and_whitney_found() -> None:
    # All 20 rankings of three and three values are equally likely.
    expected = np.array([1, 1, 2, 3, 3, 3, 3, 2, 1, 1]) / 20
    assert pair_probabilities(3, 3, 0.5) == pytest.approx(expected)


@pytest.mark.parametrize(("num_first", "num_second", "theta"), [(3, 3, 0.8), (2, 5, 0.3)])
def test_pairs_have_the_expected_number_and_the_extremes_of_power_functions(
    num_first: int, num_second: int, theta: float
) -> None:
    found = pair_probabilities(num_first, num_second, theta)
    num_pairs = num_first * num_second
    assert found @ np.arange(num_pairs + 1) == pytest.approx(theta * num_pairs)
    # Integral of the density of the least of the first group, times F_2^num_second.
    draws = np.linspace(0, 1, 200_001)
    k = theta / (1 - theta)
    all_above = num_first * (1 - draws**k) ** (num_first - 1) * k * draws ** (k - 1 + num_second)
    assert found[-1] == pytest.approx(np.trapezoid(all_above, draws), abs=1e-6)


@pytest.mark.parametrize("num_won", [0, 2.5, 4, 9])
def test_beyond_the_exact_interval_at_most_half_of_the_error_remains(num_won: float) -> None:
    low, high = exact_interval(num_won / 9, 3, 3, 0.95)
    for theta, is_below in ((low, True), (high, False)):
        if theta in (0, 1):
            assert num_won == (0 if is_below else 9)
            continue
        # Of the two mirror images, one has exactly that much, and the other less.
        tails = []
        for pairs in (pair_probabilities(3, 3, theta), pair_probabilities(3, 3, 1 - theta)[::-1]):
            tails.append(pairs[int(num_won) :] if is_below else pairs[: int(num_won + 0.5) + 1])
        assert max(tail.sum() for tail in tails) == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("num_first", "num_second", "is_exact"), [(3, 3, True), (3, 4, True), (4, 4, False)]
)
def test_no_interval_excludes_a_half_if_no_ranking_is_significant(
    num_first: int, num_second: int, is_exact: bool
) -> None:
    first, second = np.arange(num_first) + 10.0, np.arange(num_second)
    p_value = stats.mannwhitneyu(first, second, method="exact").pvalue
    assert (p_value > 0.05) == is_exact
    found = probability_of_improvement(Sample.of(first), Sample.of(second))
    assert (found.low <= 0.5) == is_exact
    interval = exact_interval if is_exact else newcombe_interval
    assert found.low == interval(1.0, num_first, num_second, 0.95)[0]


@pytest.mark.parametrize(
    ("num_first", "num_second", "lowest", "highest"),
    [(3, 3, 0.97, 1.0), (5, 5, 0.93, 0.975), (10, 10, 0.94, 0.975), (3, 10, 0.94, 0.975)],
)
def test_intervals_contain_the_true_probability_as_often_as_they_say(
    num_first: int, num_second: int, lowest: float, highest: float
) -> None:
    # Of three against three, an interval either never excludes a half, or in a tenth of the cases.
    rng = np.random.default_rng(num_first)
    first, second = (rng.normal(size=(20_000, each)) for each in (num_first, num_second))
    differences = (first[:, :, None] - second[:, None, :]).reshape(len(first), -1)
    intervals = [
        probability_of_improvement(*groups_with(num_won, num_first, num_second))
        for num_won in range(num_first * num_second + 1)
    ]
    ends = np.array([(each.low, each.high) for each in intervals])
    for shift in np.arange(0, 2.6, 0.25):
        truth = stats.norm.cdf(shift / sqrt(2))
        low, high = ends[(differences + shift > 0).sum(axis=1)].T
        assert lowest <= np.mean((low <= truth) & (truth <= high)) <= highest, shift


def groups_with(num_won: int, num_first: int, num_second: int) -> tuple[Sample, Sample]:
    """Return two groups of which the first is better in so many pairs."""
    full, rest = divmod(num_won, num_second)
    won = np.zeros(num_first)
    won[:full] = num_second
    if full < num_first:
        won[full] = rest
    return Sample.of(won - 0.5), Sample.of(np.arange(num_second))
