"""Probability that a run of one group is better than a run of another, with its interval."""

from math import ceil, comb, floor, sqrt

import numpy as np

from nip.comparison.estimates import Interval, Sample, Values
from nip.errors import ParameterError

_TINY = 1e-12


def probability_of_improvement(first: Sample, second: Sample, confidence: float = 0.95) -> Interval:
    r"""Estimate the probability that a run of the first group is better than one of the second.

    In each stratum it is the statistic of Mann and Whitney (1947) divided by the number of pairs,
    with ties counting one half; over strata, the mean, as in Agarwal et al. (2021), section 4.3.

    The interval is that of Newcombe (2006, "Confidence intervals for an effect size measure based
    on the Mann–Whitney statistic. Part 2", *Statistics in Medicine* 25, method 5): all θ within z
    standard errors of the estimate, with the variance of Hanley and McNeil (1982) at θ. Unlike a
    bootstrap it has a width if all runs of one group are better than all of the other.

    If no ranking of so few runs would be significant, such as of three against three, that interval
    is too narrow, and the exact one of ``exact_interval`` is taken, which never is. Strata are
    combined with the squares of their distances (Zou and Donner, 2008).

    Parameters
    ----------
    first, second : Sample
        One value per run, where larger is better, with the same number of strata.
    confidence : float
        Coverage probability of the interval, in (0, 1).

    Raises
    ------
    ParameterError
        If the numbers of strata differ.
    """
    if len(first.strata) != len(second.strata):
        raise ParameterError(
            f"The groups have {len(first.strata)} and {len(second.strata)} strata, and are "
            "compared stratum by stratum. Choose groups with runs in the same strata."
        )
    shares, lows, highs = np.array(
        [_estimate(x, y, confidence) for x, y in zip(first.strata, second.strata, strict=True)]
    ).T
    value, size = float(shares.mean()), len(shares)
    below = float(np.linalg.norm(shares - lows)) / size
    above = float(np.linalg.norm(highs - shares)) / size
    return Interval(value, value - below, value + above)


def _estimate(first: Values, second: Values, confidence: float) -> tuple[float, float, float]:
    share = float(np.mean((np.sign(first[:, None] - second[None, :]) + 1) / 2))
    sizes = (len(first), len(second))
    # Of all rankings, each of the two extreme ones has this probability without a difference.
    smallest_p_value = 2 / comb(sum(sizes), sizes[0])
    interval = exact_interval if smallest_p_value > 1 - confidence else newcombe_interval
    return share, *interval(share, *sizes, confidence)


def newcombe_interval(
    share: float, num_first: int, num_second: int, confidence: float
) -> tuple[float, float]:
    """Return the interval of Newcombe (2006), method 5, for a share of the pairs."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    quantile = float(norm.ppf((1 + confidence) / 2))
    size = (num_first + num_second) / 2 - 1

    def distance(theta: float) -> float:
        variance = theta * (1 - theta) / (num_first * num_second)
        variance *= 1 + size * (1 - theta) / (2 - theta) + size * theta / (1 + theta)
        return abs(theta - share) - quantile * sqrt(variance)

    low = brentq(distance, _TINY, share - _TINY, xtol=_TINY) if share > 0 else 0.0
    high = brentq(distance, share + _TINY, 1 - _TINY, xtol=_TINY) if share < 1 else 1.0
    return float(low), float(high)


def exact_interval(
    share: float, num_first: int, num_second: int, confidence: float
) -> tuple[float, float]:
    r"""Return a conservative interval from the exact distribution of the number of pairs.

    As in the interval of Clopper and Pearson (1934), its ends are the θ at which as many pairs or
    more, or as many or fewer, have half of the probability of error. The distribution is that of
    the alternatives of Lehmann (1953), :math:`F_1 = F_2^k` with :math:`\theta = k / (k + 1)`, and
    of its mirror image; the wider end of the two is taken. A tie counts against the interval.
    """
    from scipy.optimize import brentq

    # Ties count one half.
    error, pairs = (1 - confidence) / 2, round(2 * share * num_first * num_second) / 2

    def ends(m: int, n: int, count: float) -> tuple[float, float]:
        def excess_above(theta: float) -> float:
            return float(pair_probabilities(m, n, theta)[floor(count) :].sum()) - error

        def excess_below(theta: float) -> float:
            return float(pair_probabilities(m, n, theta)[: ceil(count) + 1].sum()) - error

        low = brentq(excess_above, _TINY, 1 - _TINY, xtol=_TINY) if floor(count) > 0 else 0.0
        high = brentq(excess_below, _TINY, 1 - _TINY, xtol=_TINY) if ceil(count) < m * n else 1.0
        return float(low), float(high)

    low, high = ends(num_first, num_second, pairs)
    mirrored = ends(num_second, num_first, num_first * num_second - pairs)
    return min(low, 1 - mirrored[1]), max(high, 1 - mirrored[0])


def pair_probabilities(num_first: int, num_second: int, theta: float) -> Values:
    r"""Return the probabilities of 0, 1, … pairs in which the first is greater, (pair + 1,).

    The distribution functions are :math:`F_1 = F_2^k`, so that of i and j remaining values the
    greatest is one of the first group with probability :math:`k i / (k i + j)`.

    Parameters
    ----------
    num_first, num_second : int
        Numbers of values.
    theta : float
        Probability that one of the first is greater than one of the second, in (0, 1).
    """
    k = theta / (1 - theta)
    num_pairs = num_first * num_second
    nothing = np.zeros(num_pairs + 1)
    nothing[0] = 1.0
    # Of no values of the first group, and 0, 1, … of the second.
    row = [nothing] * (num_second + 1)
    for i in range(1, num_first + 1):
        next_row = [nothing]
        for j in range(1, num_second + 1):
            is_first = k * i / (k * i + j)
            found = (1 - is_first) * next_row[j - 1]
            found[j:] += is_first * row[j][: num_pairs + 1 - j]
            next_row.append(found)
        row = next_row
    return row[num_second]
