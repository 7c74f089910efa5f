"""Means of clustered values and their confidence intervals."""

from math import sqrt
from statistics import mean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.utils.clustered_mean import clustered_mean, mean_by_cluster, sum_by_cluster

VALUES = st.lists(st.floats(-5, 5), min_size=2, max_size=30)


def test_a_table_worked_by_hand():
    # Mean 0.5. Deviations: a: ½, ½ → 1; b: −½, ½ → 0; c: −½, −½ → −1.
    # SE² = 3/2 · (1 + 0 + 1) / 36 = 1/12; t with 2 degrees of freedom is 4.302653.
    found = clustered_mean([1, 1, 0, 1, 0, 0], ["a", "a", "b", "b", "c", "c"])
    assert found.mean == 0.5
    assert found.num_clusters == 3
    assert found.standard_error == pytest.approx(sqrt(1 / 12))
    assert found.ci_high == pytest.approx(0.5 + 4.302653 / sqrt(12), abs=1e-6)
    assert found.ci_low == pytest.approx(0.5 - 4.302653 / sqrt(12), abs=1e-6)


def test_clusters_of_unequal_size():
    # Mean 2/4 = ½. Deviations: a: ½, ½, −½ → ½; b: −½ → −½. SE² = 2 · ½ / 16 = 1/16.
    found = clustered_mean([1.0, 1.0, 0.0, 0.0], [7, 7, 7, 3])
    assert found.standard_error == pytest.approx(0.25)


@given(VALUES)
def test_clusters_of_size_one_give_the_ordinary_standard_error(values):
    found = clustered_mean(values, np.arange(len(values)))
    assert found.mean == pytest.approx(mean(values), abs=1e-12)
    assert found.standard_error == pytest.approx(stdev(values) / sqrt(len(values)), abs=1e-9)


@given(VALUES, st.integers(2, 5))
def test_repeating_all_values_does_not_narrow_the_interval(values, times):
    once = clustered_mean(values, np.arange(len(values)))
    often = clustered_mean(np.tile(values, times), np.tile(np.arange(len(values)), times))
    assert often.ci_low == pytest.approx(once.ci_low, abs=1e-9)
    assert often.ci_high == pytest.approx(once.ci_high, abs=1e-9)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    num_clusters, size, trials = 20, 5, 2000
    clusters = np.repeat(np.arange(num_clusters), size)
    hits = naive_hits = 0
    for _ in range(trials):
        values = rng.normal(size=num_clusters)[clusters] + rng.normal(size=num_clusters * size)
        found = clustered_mean(values, clusters)
        hits += found.ci_low <= 0 <= found.ci_high
        naive_hits += abs(values.mean()) <= 1.984 * values.std(ddof=1) / sqrt(len(values))
    assert hits / trials == pytest.approx(0.95, abs=0.015)
    assert naive_hits / trials < 0.8, "this is why clusters matter"


def test_one_cluster_says_nothing_about_uncertainty():
    found = clustered_mean([0.0, 1.0], ["a", "a"])
    assert (found.mean, found.num_clusters) == (0.5, 1)
    assert found.standard_error is found.ci_low is found.ci_high is None


def test_shares_stay_between_0_and_1():
    # SE² = 7/8 · 1/8 / 7 = 1/64, and t with 7 degrees of freedom is 2.365.
    found = clustered_mean([0, 1, 1, 1, 1, 1, 1, 1], np.arange(8), is_share=True)
    assert found.ci_low == pytest.approx(0.875 - 2.365 / 8, abs=1e-4)
    assert found.ci_high == 1.0
    found = clustered_mean([1, 0, 0, 0], [0, 1, 2, 3], is_share=True)
    assert found.ci_low == 0.0


def test_a_share_without_exception_is_not_certain():
    # Clopper and Pearson: the p for which 10 successes of 10 have the probability 0.025.
    found = clustered_mean([1.0] * 20, np.arange(20) // 2, is_share=True)
    assert found.ci_low == pytest.approx(0.69150, abs=1e-5)
    assert found.ci_high == 1.0
    found = clustered_mean([0.0] * 10, np.arange(10), is_share=True)
    assert (found.ci_low, found.ci_high) == (0.0, pytest.approx(0.30850, abs=1e-5))


def test_another_quantity_without_spread_has_no_width():
    found = clustered_mean([3.0, 3.0], [0, 1])
    assert (found.ci_low, found.ci_high) == (3.0, 3.0)


def test_values_without_clusters_are_refused():
    with pytest.raises(ValueError, match=r"shapes \(0,\)"):
        clustered_mean([], [])
    with pytest.raises(ValueError, match=r"and \(1,\)"):
        clustered_mean([1.0, 2.0], [1])


def test_sums_and_means_of_clusters():
    values, clusters = np.array([1.0, 2.0, 3.0]), np.array(["b", "a", "b"])
    assert sum_by_cluster(values, clusters).tolist() == [2.0, 4.0]
    assert mean_by_cluster(values, clusters).tolist() == [2.0, 2.0]
