"""The result of a comparison, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nip.comparison.curves import LearningCurve, PerformanceProfile
from nip.comparison.differences import Difference
from nip.comparison.estimates import Interval, IntervalMethod, Statistic
from nip.comparison.questions import Unit
from nip.comparison.selection import At, Mode


@dataclass(frozen=True)
class ComparisonOptions:
    """How runs are compared."""

    metrics: tuple[str, ...] = ()
    """Metrics to compare; empty: the main metric that all runs have."""

    statistic: Statistic = "mean"
    """What summarises the runs of a group: ``mean`` or ``iqm``."""

    interval: IntervalMethod = "t"
    """How intervals are made: ``t`` or ``percentile``."""

    confidence: float = 0.95
    """Coverage probability of intervals, in (0, 1); the level of tests is 1 less this."""

    at: At = "common"
    """Iteration: ``common``, ``last``, ``best`` or a number."""

    mode: Mode = "max"
    """Whether larger values are better (``max``) or smaller ones (``min``)."""

    unit: Unit = "seeds"
    """What intervals generalise over: ``seeds``, ``questions`` or ``both``."""

    ignore: tuple[str, ...] = ()
    """Parameters in which runs of one group may differ, beside their seeds."""

    across: tuple[str, ...] = ()
    """Parameters whose values are the strata of each group."""

    baseline: str | None = None
    """Name of the group, or the id of one of its runs, with which all others are compared; None
    compares all pairs."""

    data_dir: str | None = None
    """Folder of the datasets, for units of questions; None: the one that the runs used."""


@dataclass(frozen=True)
class GroupSummary:
    """A group of runs, in the same order in all parts of a result."""

    name: str
    """Name of the group."""

    run_ids: tuple[str, ...]
    """Ids of its runs."""

    seeds: tuple[int | None, ...]
    """Seed of each run."""

    statuses: tuple[str, ...]
    """Status of each run: ``completed``, ``failed`` or ``running``."""


@dataclass(frozen=True)
class GroupResult:
    """One metric of one group."""

    group: str
    """Name of the group."""

    estimate: Interval
    """Mean or interquartile mean over the runs, with its interval."""

    standard_deviation: float | None
    """Standard deviation between the runs (divided by n − 1); None with a single run."""

    values: tuple[float, ...]
    """Value of each run, in the order of ``GroupSummary.run_ids``."""

    iterations: tuple[int, ...]
    """Iteration of each of these values."""

    curve: LearningCurve
    """``MetricResult.curve_metric`` at all iterations."""

    profile: PerformanceProfile
    """Share of the runs above each threshold."""


@dataclass(frozen=True)
class PairResult:
    """One metric of two groups."""

    first: str
    """Name of the first group."""

    second: str
    """Name of the second group."""

    difference: Difference
    """The first less the second."""

    adjusted_p_value: float | None
    """The p-value corrected for all comparisons of the result (Holm)."""

    probability: Interval | None
    """Probability that a run of the first group is better than one of the second; None if the
    units are questions."""


@dataclass(frozen=True)
class MetricResult:
    """One metric of all groups."""

    metric: str
    """Name of the metric."""

    is_share: bool
    """Whether it is a proportion between 0 and 1."""

    at: str
    """Which iterations are compared, in words."""

    curve_metric: str
    """Metric of the learning curves: this one, or, if all runs were tested only once, the same on
    the training split."""

    num_questions: int | None
    """Number of questions, if they are paired."""

    groups: tuple[GroupResult, ...]
    """Result of each group."""

    pairs: tuple[PairResult, ...]
    """Result of each compared pair."""


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison of groups of runs."""

    options: ComparisonOptions
    """How the runs were compared."""

    groups: tuple[GroupSummary, ...]
    """The groups."""

    parameters: Mapping[str, tuple[Any, ...]]
    """Parameters in which the groups differ: the value of each group by dotted name."""

    metrics: tuple[MetricResult, ...]
    """Result of each metric."""

    notes: tuple[str, ...]
    """What a reader has to know, such as runs that are not finished."""

    @property
    def num_tests(self) -> int:
        """Number of comparisons for which p-values are corrected."""
        pairs = [pair for metric in self.metrics for pair in metric.pairs]
        return sum(pair.adjusted_p_value is not None for pair in pairs)
