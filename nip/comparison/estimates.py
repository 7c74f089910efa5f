"""Means and interquartile means over runs, with confidence intervals over seeds.

SciPy is imported when the first interval is computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nip.errors import ParameterError

Statistic = Literal["mean", "iqm"]
"""What summarises the runs of a group: their mean, or their interquartile mean."""

IntervalMethod = Literal["t", "percentile"]
"""Student's t with the standard error, or the percentiles of a stratified bootstrap."""

STATISTICS: tuple[Statistic, ...] = ("mean", "iqm")
INTERVAL_METHODS: tuple[IntervalMethod, ...] = ("t", "percentile")

TRIM = 0.25
"""Share of the values that the interquartile mean leaves out at each end."""

NUM_RESAMPLES = 9999
"""Number of bootstrap samples."""

_SEED = 20_210_829
"""Seed of the bootstrap, the same for all samples, so that a comparison can be repeated."""

Values = NDArray[np.float64]
Strata = tuple[Values, ...]


@dataclass(frozen=True)
class Interval:
    """A number with a confidence interval."""

    value: float
    """The estimate."""

    low: float | None
    """Lower end of the confidence interval; None if there is none."""

    high: float | None
    """Upper end of the confidence interval; None if there is none."""


@dataclass(frozen=True)
class Sample:
    """Values of one metric in the runs of one group, one value per run.

    Parameters
    ----------
    strata : Strata
        The values of each stratum, such as one dataset of several, (run,) each. A group without
        strata has one.
    """

    strata: Strata

    @classmethod
    def of(cls, *strata: ArrayLike) -> "Sample":
        """Return the sample of one or more strata, of any number type."""
        return cls(tuple(np.asarray(each, dtype=np.float64) for each in strata))

    @property
    def values(self) -> Values:
        """All values, (run,), stratum by stratum."""
        return np.concatenate(self.strata)

    @cached_property
    def mean_variance(self) -> float:
        """Estimated variance of the mean of the means of the strata."""
        return float(sum(self._variances))

    @cached_property
    def degrees_of_freedom(self) -> float:
        """Degrees of freedom of ``mean_variance``, of Welch (1938) and Satterthwaite (1946).

        With one stratum, the number of runs less 1.
        """
        terms = [
            variance**2 / (len(values) - 1)
            for variance, values in zip(self._variances, self.strata, strict=True)
        ]
        if not sum(terms):
            return float(sum(len(values) - 1 for values in self.strata))
        return self.mean_variance**2 / sum(terms)

    @property
    def _variances(self) -> list[float]:
        weight = 1 / len(self.strata)
        return [weight**2 * float(v.var(ddof=1)) / len(v) for v in self.strata]


def point_estimate(strata: Sequence[Values], statistic: Statistic, axis: int = -1) -> Values:
    """Summarise the runs of a group.

    The mean is that of the means of the strata, with equal weights. The interquartile mean is
    that of all values together, without the lowest and the highest quarter (rounded down to whole
    values), as in Agarwal et al. (2021, "Deep Reinforcement Learning at the Edge of the Statistical
    Precipice"), section 4.3; of fewer than four values it is their mean.

    Parameters
    ----------
    strata : sequence of Values
        Values of each stratum, with the runs along an axis.
    statistic : Statistic
        Mean or interquartile mean.
    axis : int
        The axis of the runs.
    """
    if statistic == "mean":
        return np.mean([values.mean(axis=axis) for values in strata], axis=0)
    from scipy.stats import trim_mean

    return trim_mean(np.concatenate(strata, axis=axis), TRIM, axis=axis)


def standard_error(sample: Sample, statistic: Statistic) -> float:
    r"""Return the standard error of an estimate, whose degrees of freedom the sample has.

    That of the mean is :math:`\sqrt{\sum_k s_k^2 / n_k} / K` over K strata. That of the
    interquartile mean is the standard deviation of a stratified bootstrap (Efron and Tibshirani,
    1993, section 6.2), in which each stratum is drawn anew from its own runs. With several strata
    it is multiplied by :math:`\sqrt{n / (n - 1)}` for the smallest number n of runs of a stratum,
    because the bootstrap underestimates the variance within each by that factor.
    """
    if statistic == "mean" or not _num_trimmed(sample):
        return float(np.sqrt(sample.mean_variance))
    _, error = _bootstrap(sample, statistic)
    fewest = min(len(values) for values in sample.strata)
    return error * (1.0 if len(sample.strata) == 1 else (fewest / (fewest - 1)) ** 0.5)


def estimate(
    sample: Sample,
    statistic: Statistic = "mean",
    method: IntervalMethod = "t",
    confidence: float = 0.95,
    is_share: bool = False,
) -> Interval:
    """Estimate the mean or interquartile mean over seeds, with a confidence interval.

    Parameters
    ----------
    sample : Sample
        One value per run.
    statistic : Statistic
        Mean or interquartile mean.
    method : IntervalMethod
        ``t``: the estimate ± a quantile of Student's t times the standard error. ``percentile``:
        percentiles of a stratified bootstrap, as in ``rliable``, which are far too narrow for few
        seeds.
    confidence : float
        Coverage probability of the interval, in (0, 1).
    is_share : bool
        Whether the values are proportions, so that the interval is clipped to [0, 1].

    Raises
    ------
    ParameterError
        If a stratum has fewer than two values.
    """
    check_size(sample)
    value = float(point_estimate(sample.strata, statistic))
    if method == "percentile":
        low, high = percentiles(sample, statistic, confidence)
    else:
        half_width = t_quantile(confidence, sample.degrees_of_freedom) * standard_error(
            sample, statistic
        )
        low, high = value - half_width, value + half_width
    if is_share:
        low, high = max(low, 0.0), min(high, 1.0)
    return Interval(value, low, high)


def check_size(sample: Sample) -> None:
    """Raise ``ParameterError`` if a stratum has fewer than two values."""
    fewest = min((len(values) for values in sample.strata), default=0)
    if fewest < 2:
        raise ParameterError(
            f"An interval over seeds needs at least 2 runs, got {fewest}. Train with more seeds."
        )


def percentiles(sample: Sample, statistic: Statistic, confidence: float) -> tuple[float, float]:
    """Return the ends of the percentile interval of a stratified bootstrap."""
    distribution, _ = _bootstrap(sample, statistic)
    return central_quantiles(distribution, confidence)


def bootstrap_distribution(sample: Sample, statistic: Statistic) -> Values:
    """Return the estimates of all bootstrap samples, (resample,)."""
    return _bootstrap(sample, statistic)[0]


def central_quantiles(distribution: Values, confidence: float) -> tuple[float, float]:
    """Return the quantiles between which a share ``confidence`` of a distribution lies."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(distribution, [tail, 1 - tail])
    return float(low), float(high)


def t_quantile(confidence: float, degrees_of_freedom: float) -> float:
    """Return the t with P(|T| ≤ t) = confidence for a Student t variable T."""
    from scipy.stats import t

    return float(t.ppf((1 + confidence) / 2, degrees_of_freedom))


def _num_trimmed(sample: Sample) -> int:
    return int(TRIM * len(sample.values))


def _bootstrap(sample: Sample, statistic: Statistic) -> tuple[Values, float]:
    """Draw the runs of each stratum with replacement; return the estimates and their spread."""
    from scipy.stats import bootstrap

    result = bootstrap(
        sample.strata,
        lambda *strata, axis: point_estimate(strata, statistic, axis),
        vectorized=True,
        n_resamples=NUM_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    )
    return result.bootstrap_distribution, float(result.standard_error)
