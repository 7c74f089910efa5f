"""Learning curves with bands, and performance profiles."""

import math

import numpy as np
import pytest
from scipy import stats

from nip.comparison.curves import learning_curve, performance_profile, thresholds_of
from nip.comparison.estimates import Sample, estimate


def test_a_curve_has_the_estimate_of_each_iteration() -> None:
    runs = [{1: 0.1, 2: 0.4}, {1: 0.3, 2: 0.8}, {1: 0.2, 2: 0.3}]
    found = learning_curve([runs])
    assert found.iterations == (1, 2)
    assert found.points[1] == estimate(Sample.of([0.4, 0.8, 0.3]))


def test_a_curve_ends_with_the_shortest_run_and_skips_what_is_not_finite() -> None:
    runs = [{1: 0.1, 2: 0.4, 3: 0.5, 4: 0.6}, {1: 0.3, 2: math.nan, 3: 0.2}]
    assert learning_curve([runs]).iterations == (1, 3)


def test_a_single_run_has_a_curve_without_a_band() -> None:
    (point,) = learning_curve([[{5: 0.25}]]).points
    assert (point.value, point.low, point.high) == (0.25, None, None)


def test_a_profile_is_that_of_rliable() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 2)).round(1)
    thresholds = np.linspace(-2, 2, 41).round(1)
    # rliable.library.create_performance_profile: np.mean(scores > tau).
    expected = [np.mean(scores > tau) for tau in thresholds]
    found = performance_profile(Sample.of(*scores.T), thresholds)
    assert [share.value for share in found.shares] == pytest.approx(expected, abs=1e-12)


def test_its_band_is_that_of_wilson() -> None:
    (found,) = performance_profile(Sample.of([0.1, 0.2, 0.3]), [0.0]).shares
    z = stats.norm.ppf(0.975)
    # Wilson's interval of 3 of 3 is (n / (n + z²), 1).
    assert (found.low, found.high) == pytest.approx((3 / (3 + z**2), 1))


def test_thresholds_enclose_all_values() -> None:
    thresholds = thresholds_of([Sample.of([0.1, 0.5]), Sample.of([0.9, 0.3])])
    assert thresholds[0] < 0.1 and thresholds[-1] > 0.9
    assert thresholds_of([Sample.of([0.5, 0.5])])[0] < 0.5
