"""Means of clustered values, with cluster-robust standard errors and confidence intervals."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nip.utils.student_t import two_sided_quantile

CONFIDENCE = 0.95
"""Coverage probability of the confidence intervals."""


@dataclass(frozen=True)
class ClusteredMean:
    """A mean with its cluster-robust confidence interval."""

    mean: float
    """Mean over all values."""

    standard_error: float | None
    """Cluster-robust standard error; None with a single cluster."""

    ci_low: float | None
    """Lower end of the confidence interval; None with a single cluster."""

    ci_high: float | None
    """Upper end of the confidence interval; None with a single cluster."""

    num_clusters: int
    """Number of clusters."""


def clustered_mean(
    values: ArrayLike, clusters: ArrayLike, *, is_share: bool = False
) -> ClusteredMean:
    r"""Estimate a mean and its 95 % confidence interval from correlated values within clusters.

    Several rollouts of one question are not independent: ten rollouts of each question are less
    informative than ten times as many questions. With n values in G clusters and the deviations
    :math:`e_{ci}` from the mean,

    .. math:: \mathrm{SE}^2 = \frac{G}{G - 1}\,\frac{1}{n^2} \sum_c \Big(\sum_i e_{ci}\Big)^2,
              \qquad \mathrm{mean} \pm t_{G - 1}\,\mathrm{SE}.

    This is the clustered standard error of Miller (2024, "Adding Error Bars to Evals",
    arXiv 2411.00640, section 2.2), with the two usual corrections for few clusters: the factor
    G / (G − 1) and Student's t with G − 1 degrees of freedom (Cameron and Miller, 2015, "A
    Practitioner's Guide to Cluster-Robust Inference", sections VI.B and VI.D). With clusters of
    size 1 it is the ordinary standard error; repeating every value does not change it.

    The interval of a proportion is clipped to [0, 1]. If all values of a proportion are equal, the
    formula would give an interval of width 0; the exact interval of Clopper and Pearson (1934) for
    G independent outcomes is returned instead, whose width is about 3.7 / G. For other quantities
    without variance the interval has width 0.

    Parameters
    ----------
    values : ArrayLike
        Numbers, (value,).
    clusters : ArrayLike
        The cluster of each value, (value,), as integers or strings.
    is_share : bool
        Whether the values are 0 or 1, so that their mean is a proportion.

    Raises
    ------
    ValueError
        If there are no values, or the number of clusters differs from the number of values.
    """
    sample = np.asarray(values, dtype=np.float64)
    labels = np.asarray(clusters)
    if sample.ndim != 1 or labels.shape != sample.shape or len(sample) == 0:
        raise ValueError(
            f"values and clusters must be non-empty one-dimensional arrays of the same length, got "
            f"shapes {sample.shape} and {labels.shape}."
        )
    mean = float(sample.mean())
    sums = sum_by_cluster(sample - mean, labels)
    num_clusters = len(sums)
    if num_clusters == 1:
        return ClusteredMean(mean, None, None, None, 1)
    variance = float((sums**2).sum()) * num_clusters / (num_clusters - 1) / len(sample) ** 2
    error = sqrt(variance)
    low, high = _interval(mean, error, num_clusters, is_share)
    return ClusteredMean(mean, error, low, high, num_clusters)


def sum_by_cluster(values: NDArray[Any], clusters: NDArray[Any]) -> NDArray[np.float64]:
    """Return the sum of the values of each cluster, (cluster,), in sorted order of clusters."""
    _, inverse = np.unique(clusters, return_inverse=True)
    return np.bincount(inverse, weights=values.astype(np.float64)).astype(np.float64)


def mean_by_cluster(values: NDArray[Any], clusters: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of the values of each cluster, (cluster,), in sorted order of clusters."""
    return sum_by_cluster(values, clusters) / sum_by_cluster(np.ones(len(values)), clusters)


def _interval(mean: float, error: float, num_clusters: int, is_share: bool) -> tuple[float, float]:
    if is_share and mean in (0.0, 1.0):
        width = 1 - ((1 - CONFIDENCE) / 2) ** (1 / num_clusters)
        return (1 - width, 1.0) if mean == 1 else (0.0, width)
    half_width = two_sided_quantile(CONFIDENCE, num_clusters - 1) * error
    low, high = mean - half_width, mean + half_width
    return (max(low, 0.0), min(high, 1.0)) if is_share else (low, high)
