"""Means and interquartile means over runs, with their intervals."""

from dataclasses import astuple
from itertools import product

import numpy as np
import pytest
from scipy import stats

from nip.comparison.estimates import Sample, estimate, point_estimate, standard_error
from nip.errors import ParameterError

RUNS = (0.61, 0.74, 0.58, 0.9, 0.66)


def test_the_interval_of_a_mean_is_that_of_student() -> None:
    found = estimate(Sample.of(RUNS))
    expected = stats.ttest_1samp(RUNS, 0.0).confidence_interval(0.95)
    assert found.value == pytest.approx(np.mean(RUNS), abs=1e-12)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("num_runs", [3, 4, 5, 8, 11])
def test_the_interquartile_mean_is_the_trimmed_mean_of_scipy(num_runs: int) -> None:
    values = np.random.default_rng(num_runs).normal(size=num_runs)
    found = float(point_estimate(Sample.of(values).strata, "iqm"))
    assert found == pytest.approx(stats.trim_mean(values, 0.25), abs=1e-12)


@pytest.mark.parametrize(
    ("values", "expected"),
    [(range(1, 9), 4.5), ((1, 2, 3, 4, 100), 3.0), ((5, 1, 3), 3.0)],
)
def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end(values, expected: float) -> None:
    assert point_estimate(Sample.of(list(values)).strata, "iqm") == pytest.approx(expected)


def test_of_several_strata_the_interquartile_mean_is_that_of_all_runs_together() -> None:
    # rliable: scipy.stats.trim_mean(scores, proportiontocut=0.25, axis=None) of runs × tasks.
    scores = np.random.default_rng(0).normal(size=(5, 3))
    found = float(point_estimate(Sample.of(*scores.T).strata, "iqm"))
    assert found == pytest.approx(stats.trim_mean(scores, 0.25, axis=None), abs=1e-12)


def test_the_mean_over_strata_weighs_them_equally() -> None:
    sample = Sample.of([0.0, 2.0], [4.0, 6.0, 8.0, 10.0])
    assert estimate(sample).value == pytest.approx((1 + 7) / 2)
    # Variances of the means: 2 / 2 and (20 / 3) / 4, each times 1 / 2².
    assert sample.mean_variance == pytest.approx((1 + 5 / 3) / 4)
    # Satterthwaite: (1 + 5/3)² / (1² / 1 + (5/3)² / 3).
    assert sample.degrees_of_freedom == pytest.approx((8 / 3) ** 2 / (1 + 25 / 27))


def test_the_error_of_an_interquartile_mean_is_that_of_all_bootstrap_samples() -> None:
    exact = stats.trim_mean(list(product(RUNS, repeat=len(RUNS))), 0.25, axis=1)
    found = standard_error(Sample.of(RUNS), "iqm")
    # 9999 samples know a standard deviation to 0.7 %.
    assert found == pytest.approx(np.std(exact), rel=0.03)


def test_the_interquartile_mean_of_three_runs_is_their_mean_with_its_interval() -> None:
    three = Sample.of(RUNS[:3])
    one, other = estimate(three, "iqm"), estimate(three, "mean")
    assert astuple(one) == pytest.approx(astuple(other))


def test_percentiles_of_three_runs_reach_from_the_lowest_to_the_highest() -> None:
    # All three draws are the lowest run with probability 1 / 27, which is more than 2.5 %.
    found = estimate(Sample.of(RUNS[:3]), method="percentile")
    assert (found.low, found.high) == pytest.approx((0.58, 0.74))


def test_an_interval_is_the_same_each_time() -> None:
    assert estimate(Sample.of(RUNS), "iqm") == estimate(Sample.of(RUNS), "iqm")


def test_intervals_of_shares_stay_between_0_and_1() -> None:
    found = estimate(Sample.of([0.2, 1.0]), is_share=True)
    assert (found.low, found.high) == (0.0, 1.0)


def test_one_run_has_no_interval() -> None:
    with pytest.raises(ParameterError, match="at least 2 runs, got 1"):
        estimate(Sample.of([0.5]))
    with pytest.raises(ParameterError, match="at least 2 runs, got 1"):
        estimate(Sample.of([0.5, 0.6], [0.5]))
