"""Learning curves with bands, and performance profiles, of groups of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nip.comparison.estimates import Interval, Sample, Statistic, estimate

_NUM_THRESHOLDS = 101


@dataclass(frozen=True)
class LearningCurve:
    """A metric of the runs of one group at each iteration."""

    iterations: tuple[int, ...]
    """Iterations at which all runs of the group have a finite value, ascending."""

    points: tuple[Interval, ...]
    """Estimate and pointwise interval at each of them."""


@dataclass(frozen=True)
class PerformanceProfile:
    """Share of the runs of one group above each threshold."""

    thresholds: tuple[float, ...]
    """Values of the metric, ascending."""

    shares: tuple[Interval, ...]
    """Share of the runs that are above each threshold, with a pointwise interval."""


def learning_curve(
    strata: Sequence[Sequence[Mapping[int, float]]],
    statistic: Statistic = "mean",
    confidence: float = 0.95,
    is_share: bool = False,
) -> LearningCurve:
    """Return the curve of a group, at the iterations that all of its runs have.

    Where one run has no value, or one that is not finite, there is no point: a mean over fewer
    runs would jump when a run ends.

    Parameters
    ----------
    strata : sequence of sequences of mappings
        For each stratum, the value at each iteration of each run.
    statistic : Statistic
        Mean or interquartile mean.
    confidence : float
        Coverage probability of the band at each iteration, in (0, 1).
    is_share : bool
        Whether the values are proportions, so that the band is clipped to [0, 1].
    """
    runs = [run for stratum in strata for run in stratum]
    common = set.intersection(*({i for i, v in run.items() if np.isfinite(v)} for run in runs))
    iterations = tuple(sorted(common))
    points = []
    for iteration in iterations:
        sample = Sample.of(*([run[iteration] for run in stratum] for stratum in strata))
        points.append(
            estimate(sample, statistic, confidence=confidence, is_share=is_share)
            if min(map(len, strata)) > 1
            else Interval(float(sample.values.mean()), None, None)
        )
    return LearningCurve(iterations, tuple(points))


def thresholds_of(samples: Sequence[Sample]) -> tuple[float, ...]:
    """Return evenly spaced thresholds from below the lowest value of all groups to the highest."""
    values = np.concatenate([sample.values for sample in samples])
    margin = 0.05 * (values.max() - values.min()) or 0.05
    low, high = values.min() - margin, values.max() + margin
    return tuple(float(each) for each in np.linspace(low, high, _NUM_THRESHOLDS))


def performance_profile(
    sample: Sample, thresholds: Sequence[float], confidence: float = 0.95
) -> PerformanceProfile:
    """Return the share of runs above each threshold, of all strata together.

    This is the score distribution of Agarwal et al. (2021), section 4.2 and appendix A.4. The
    interval is that of Wilson (1927), which has a width where all or no runs are above.

    Parameters
    ----------
    sample : Sample
        One value per run.
    thresholds : sequence of float
        Values of the metric.
    confidence : float
        Coverage probability at each threshold, in (0, 1).
    """
    from scipy.stats import binomtest

    values = sample.values
    shares = []
    for threshold in thresholds:
        count = int((values > threshold).sum())
        found = binomtest(count, len(values)).proportion_ci(confidence, method="wilson")
        shares.append(Interval(count / len(values), float(found.low), float(found.high)))
    return PerformanceProfile(tuple(thresholds), tuple(shares))
