"""Differences between two groups of runs: intervals, tests, and what could have been shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np

from nip.comparison.estimates import (
    Interval,
    IntervalMethod,
    Sample,
    Statistic,
    Values,
    bootstrap_distribution,
    central_quantiles,
    check_size,
    point_estimate,
    standard_error,
    t_quantile,
)

POWER = 0.8
"""Power at which the minimum detectable difference is stated."""

_NUM_NODES = 200


@dataclass(frozen=True)
class Difference:
    """Difference of two groups in one metric: the first less the second."""

    interval: Interval
    """Difference of the two estimates, with its confidence interval."""

    p_value: float | None
    """Two-sided p-value of no difference; None without any variation between the runs."""

    minimum_detectable: float
    """Smallest true difference that would be significant with probability 0.8."""

    standard_error: float
    """Standard error of the difference."""

    degrees_of_freedom: float
    """Degrees of freedom of the standard error."""


def compare_samples(
    first: Sample,
    second: Sample,
    statistic: Statistic = "mean",
    method: IntervalMethod = "t",
    confidence: float = 0.95,
) -> Difference:
    """Compare two groups of independent runs.

    For the mean this is the test of Welch (1947), which allows different variances and numbers of
    runs. For the interquartile mean its standard errors are those of a stratified bootstrap, with
    the same degrees of freedom.

    Parameters
    ----------
    first, second : Sample
        One value per run.
    statistic : Statistic
        Mean or interquartile mean.
    method : IntervalMethod
        How the interval is made; see ``estimate``. The p-value is always that of t.
    confidence : float
        Coverage probability of the interval, in (0, 1).

    Raises
    ------
    ParameterError
        If a stratum has fewer than two values.
    """
    for sample in (first, second):
        check_size(sample)
    value = float(
        point_estimate(first.strata, statistic) - point_estimate(second.strata, statistic)
    )
    error = sqrt(sum(standard_error(each, statistic) ** 2 for each in (first, second)))
    freedom = _welch_degrees_of_freedom(first, second)
    result = difference_of(value, error, freedom, confidence)
    if method == "t":
        return result
    # The seeds of the two groups are drawn independently of each other.
    order = np.random.default_rng(0).permutation(len(bootstrap_distribution(second, statistic)))
    drawn = (
        bootstrap_distribution(first, statistic) - bootstrap_distribution(second, statistic)[order]
    )
    interval = Interval(value, *central_quantiles(drawn, confidence))
    return Difference(interval, result.p_value, result.minimum_detectable, error, freedom)


def difference_of(
    value: float, error: float, degrees_of_freedom: float, confidence: float = 0.95
) -> Difference:
    """Return the t interval and test of a difference with a known standard error.

    Parameters
    ----------
    value : float
        The difference.
    error : float
        Its standard error.
    degrees_of_freedom : float
        Degrees of freedom of the standard error.
    confidence : float
        Coverage probability of the interval, in (0, 1).
    """
    from scipy.stats import t

    half_width = t_quantile(confidence, degrees_of_freedom) * error
    return Difference(
        Interval(value, value - half_width, value + half_width),
        float(2 * t.sf(abs(value) / error, degrees_of_freedom)) if error > 0 else None,
        minimum_detectable_effect(error, degrees_of_freedom, 1 - confidence),
        error,
        degrees_of_freedom,
    )


def _welch_degrees_of_freedom(first: Sample, second: Sample) -> float:
    terms = [each.mean_variance**2 / each.degrees_of_freedom for each in (first, second)]
    if not sum(terms):
        return first.degrees_of_freedom + second.degrees_of_freedom
    return (first.mean_variance + second.mean_variance) ** 2 / sum(terms)


def minimum_detectable_effect(
    error: float, degrees_of_freedom: float, alpha: float = 0.05, power: float = POWER
) -> float:
    r"""Return the smallest true difference that a two-sided t test finds with a given power.

    It is :math:`\lambda\,\mathrm{SE}` with the λ for which a noncentral t variable, with
    noncentrality λ, exceeds the critical value in absolute value with probability ``power`` (Cohen,
    1988, "Statistical Power Analysis", section 2.2).

    Parameters
    ----------
    error : float
        Standard error of the difference.
    degrees_of_freedom : float
        Degrees of freedom of the standard error.
    alpha : float
        Level of the test.
    power : float
        Probability of a significant result, more than ``alpha``.
    """
    from scipy.optimize import brentq
    from scipy.stats import chi2, norm

    # SciPy's noncentral t is NaN for few degrees of freedom. Given the estimated standard error, a
    # t variable is normal, so its probabilities are means over the quantiles of that error.
    nodes, weights = _quadrature()
    errors = np.sqrt(chi2.ppf((nodes + 1) / 2, degrees_of_freedom) / degrees_of_freedom)
    critical = t_quantile(1 - alpha, degrees_of_freedom) * errors

    def excess(shift: float) -> float:
        found = norm.sf(critical - shift) + norm.cdf(-critical - shift)
        return float(found @ weights) / 2 - power

    return float(brentq(excess, 0.0, float(critical.max()) + 10, xtol=1e-12)) * error


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Values, Values]:
    return np.polynomial.legendre.leggauss(_NUM_NODES)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for several comparisons (Holm, 1979).

    The probability of any false positive among all comparisons is then at most the level of the
    test, whatever their dependence.

    Parameters
    ----------
    p_values : sequence of float or None
        The p-values; None for a comparison without a test, which is not counted.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[index] = largest
    return adjusted
