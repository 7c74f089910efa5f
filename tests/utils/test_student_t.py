"""Quantiles of Student's t against printed tables."""

from math import sqrt

import pytest

from nip.utils.student_t import two_sided_quantile

# NIST/SEMATECH e-Handbook, table 1.3.6.7.2, columns 0.95 and 0.975.
TABLE = [
    (1, 6.314, 12.706),
    (2, 2.920, 4.303),
    (3, 2.353, 3.182),
    (4, 2.132, 2.776),
    (5, 2.015, 2.571),
    (9, 1.833, 2.262),
    (10, 1.812, 2.228),
    (30, 1.697, 2.042),
    (99, 1.660, 1.984),
    (100, 1.660, 1.984),
]


@pytest.mark.parametrize(("degrees", "at_90", "at_95"), TABLE)
def test_printed_values(degrees, at_90, at_95):
    assert two_sided_quantile(0.90, degrees) == pytest.approx(at_90, abs=5.1e-4)
    assert two_sided_quantile(0.95, degrees) == pytest.approx(at_95, abs=5.1e-4)


def test_closed_forms():
    p = 0.975
    assert two_sided_quantile(0.95, 2) == pytest.approx((2 * p - 1) / sqrt(2 * p * (1 - p)))
    assert two_sided_quantile(0.5, 1) == pytest.approx(1.0)


def test_the_two_ways_of_computing_meet(monkeypatch):
    expanded = two_sided_quantile(0.95, 201)
    two_sided_quantile.cache_clear()
    monkeypatch.setattr("nip.utils.student_t._EXACT_UP_TO", 1000)
    assert two_sided_quantile(0.95, 201) == pytest.approx(expanded, abs=1e-8)
    two_sided_quantile.cache_clear()


def test_with_many_degrees_it_is_the_normal_distribution():
    assert two_sided_quantile(0.95, 10**7) == pytest.approx(1.959964, abs=1e-6)


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1, got 1"):
        two_sided_quantile(1, 5)
    with pytest.raises(ValueError, match="degrees_of_freedom must be at least 1, got 0"):
        two_sided_quantile(0.95, 0)
