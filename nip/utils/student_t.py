"""Quantiles of Student's t distribution."""

from functools import lru_cache
from math import atan, cos, inf, pi, sin, sqrt, tan
from statistics import NormalDist

import numpy as np

_EXACT_UP_TO = 200
"""Largest number of degrees of freedom for which the finite series is used."""


@lru_cache(maxsize=256)
def two_sided_quantile(confidence: float, degrees_of_freedom: int) -> float:
    r"""Return the t with P(|T| ≤ t) = confidence for a Student t variable T.

    Up to 200 degrees of freedom, the finite series of Abramowitz and Stegun (1964, 26.7.3 and
    26.7.4) is inverted by bisection. Above, the expansion 26.7.5 is used, whose error is below
    1e-8 there.

    Parameters
    ----------
    confidence : float
        Probability, in (0, 1).
    degrees_of_freedom : int
        At least 1.

    Raises
    ------
    ValueError
        If either is out of range.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}.")
    if degrees_of_freedom < 1:
        raise ValueError(f"degrees_of_freedom must be at least 1, got {degrees_of_freedom}.")
    if degrees_of_freedom == 1:
        return tan(pi * confidence / 2)
    if degrees_of_freedom > _EXACT_UP_TO:
        return _expansion(NormalDist().inv_cdf((1 + confidence) / 2), degrees_of_freedom)
    low, high = 0.0, 1.0
    while _probability_within(high, degrees_of_freedom) < confidence and high < inf:
        low, high = high, 2 * high
    while (middle := (low + high) / 2) not in (low, high):
        if _probability_within(middle, degrees_of_freedom) < confidence:
            low = middle
        else:
            high = middle
    return high


def _probability_within(t: float, degrees_of_freedom: int) -> float:
    """Return P(|T| ≤ t) for at least 2 degrees of freedom."""
    angle = atan(t / sqrt(degrees_of_freedom))
    first = 1 if degrees_of_freedom % 2 == 0 else 2
    steps = np.arange(first, degrees_of_freedom - 2, 2)
    terms = np.cumprod(np.concatenate([[1.0], steps / (steps + 1) * cos(angle) ** 2]))
    if degrees_of_freedom % 2 == 0:
        return float(sin(angle) * terms.sum())
    return float(2 / pi * (angle + sin(angle) * cos(angle) * terms.sum()))


def _expansion(z: float, degrees_of_freedom: int) -> float:
    polynomials = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(
        value / degrees_of_freedom ** (power + 1) for power, value in enumerate(polynomials)
    )
