"""Differences of two groups of runs."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from nip.comparison.differences import (
    compare_samples,
    difference_of,
    holm,
    minimum_detectable_effect,
)
from nip.comparison.estimates import Sample, standard_error

FIRST = (0.61, 0.74, 0.58, 0.9, 0.66)
SECOND = (0.41, 0.52, 0.47)


def test_the_difference_of_means_is_the_test_of_welch() -> None:
    found = compare_samples(Sample.of(FIRST), Sample.of(SECOND))
    expected = stats.ttest_ind(FIRST, SECOND, equal_var=False)
    ends = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert found.degrees_of_freedom == pytest.approx(expected.df, abs=1e-9)
    assert (found.interval.low, found.interval.high) == pytest.approx((ends.low, ends.high), 1e-9)


def test_the_error_of_a_difference_of_interquartile_means_joins_those_of_the_groups() -> None:
    first, second = Sample.of(FIRST), Sample.of((0.1, *SECOND))
    found = compare_samples(first, second, "iqm")
    expected = sqrt(standard_error(first, "iqm") ** 2 + standard_error(second, "iqm") ** 2)
    assert found.standard_error == pytest.approx(expected)
    value = stats.trim_mean(FIRST, 0.25) - stats.trim_mean((0.1, *SECOND), 0.25)
    assert found.interval.value == pytest.approx(value, abs=1e-12)


def test_the_percentile_interval_draws_both_groups_independently() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(1, 1, 40), rng.normal(0, 2, 50)
    found = compare_samples(Sample.of(first), Sample.of(second), method="percentile")
    expected = stats.bootstrap(
        (first, second),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (expected.low, expected.high), abs=0.03
    )


def test_without_variation_there_is_no_test() -> None:
    found = compare_samples(Sample.of([1.0, 1.0]), Sample.of([0.0, 0.0]))
    assert found.p_value is None
    assert found.minimum_detectable == 0


# Cohen (1988), table 2.4.1: runs per group for a power of 0.80 at a two-sided level of 0.05.
@pytest.mark.parametrize(("effect", "num_runs"), [(0.5, 64), (0.8, 26), (1.0, 17)])
def test_the_detectable_difference_is_that_of_cohens_table(effect: float, num_runs: int) -> None:
    def detectable(n: int) -> float:
        return minimum_detectable_effect(sqrt(2 / n), 2 * n - 2)

    assert detectable(num_runs) <= effect < detectable(num_runs - 1)


@pytest.mark.parametrize("degrees_of_freedom", [2, 4, 10])
def test_the_detectable_difference_has_that_power_under_the_noncentral_t(
    degrees_of_freedom: int,
) -> None:
    shift = minimum_detectable_effect(1.0, degrees_of_freedom)
    critical = stats.t.ppf(0.975, degrees_of_freedom)
    power = stats.nct.sf(critical, degrees_of_freedom, shift)
    power += stats.nct.cdf(-critical, degrees_of_freedom, shift)
    assert power == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("degrees_of_freedom", [1, 1.3, 2000])
def test_a_difference_can_be_detected_with_few_and_with_many_runs(
    degrees_of_freedom: float,
) -> None:
    # Of many runs it is the sum of the normal quantiles of 0.975 and 0.8.
    assert minimum_detectable_effect(1.0, degrees_of_freedom) > 1.95996 + 0.84162


def test_p_values_are_corrected_step_by_step() -> None:
    # 4 × 0.005, 3 × 0.01, 2 × 0.03, and 0.04, but never less than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []


def test_a_test_and_its_interval_agree() -> None:
    found = difference_of(1.0, 1 / stats.t.ppf(0.975, 3), 3)
    assert found.p_value == pytest.approx(0.05)
    assert found.interval.low == pytest.approx(0, abs=1e-9)
