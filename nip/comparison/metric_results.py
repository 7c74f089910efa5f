"""Comparison of one metric of several groups of runs, over seeds or by question."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from nip.comparison.curves import learning_curve, performance_profile, thresholds_of
from nip.comparison.differences import Difference, compare_samples
from nip.comparison.estimates import Interval, Sample, estimate
from nip.comparison.grouping import RunGroup
from nip.comparison.improvement import probability_of_improvement
from nip.comparison.questions import (
    METRIC,
    QuestionScores,
    compare_by_question,
    estimate_by_question,
    read_question_scores,
)
from nip.comparison.results import ComparisonOptions, GroupResult, MetricResult, PairResult
from nip.comparison.selection import (
    Selection,
    choose_metrics,
    curve_metric,
    is_share,
    select,
    series_of,
)
from nip.errors import ParameterError, UnknownNameError, unknown_name

Note = Callable[[str], object]
"""Is called with what a reader of the result has to know."""

_FEW_CLUSTERS = 10
"""Number of independent questions below which clustered standard errors are rough."""


@dataclass(frozen=True)
class _Findings:
    """Numbers of one metric, in the order of the groups."""

    metric: str
    is_share: bool
    chosen: Selection
    samples: Sequence[Sample]
    estimates: Sequence[Interval]
    pairs: Sequence[PairResult]


def compare_metric(
    groups: Sequence[RunGroup], metric: str, options: ComparisonOptions, note: Note
) -> MetricResult:
    """Compare a metric of all groups, with the runs as units.

    Parameters
    ----------
    groups : sequence of RunGroup
        Groups whose runs all have the metric.
    metric : str
        Name of the metric.
    options : ComparisonOptions
        How the runs are compared.
    note : Note
        Called with remarks that belong to the result.
    """
    records = [run for group in groups for run in group.runs]
    chosen = select(records, metric, options.at, options.mode, note)
    samples = [_sample(group, chosen.values) for group in groups]
    share = is_share(metric) and all(0 <= value <= 1 for value in chosen.values.values())
    for group, sample in zip(groups, samples, strict=True):
        if np.ptp(sample.values) == 0:
            note(
                f"All runs of {group.name!r} have the same {metric}, so that its interval has no "
                "width, which is no evidence that other seeds would agree."
            )
    estimates = [
        estimate(sample, options.statistic, options.interval, options.confidence, share)
        for sample in samples
    ]
    pairs = [
        _compare_pair(groups, samples, pair, options) for pair in _pairs(groups, options.baseline)
    ]
    return _result(
        groups, _Findings(metric, share, chosen, samples, estimates, pairs), options, note
    )


def _sample(group: RunGroup, values: Mapping[str, float]) -> Sample:
    return Sample.of(*([values[str(run.folder)] for run in each] for each in group.strata))


def _compare_pair(
    groups: Sequence[RunGroup],
    samples: Sequence[Sample],
    pair: tuple[int, int],
    options: ComparisonOptions,
) -> PairResult:
    first, second = (samples[place] for place in pair)
    difference = compare_samples(
        first, second, options.statistic, options.interval, options.confidence
    )
    better, worse = (first, second) if options.mode == "max" else (second, first)
    probability = probability_of_improvement(better, worse, options.confidence)
    return _pair_result(groups, pair, difference, probability)


def _pair_result(
    groups: Sequence[RunGroup],
    pair: tuple[int, int],
    difference: Difference,
    probability: Interval | None,
) -> PairResult:
    """Return the result of a pair; p-values are corrected when all are known."""
    first, second = (groups[place].name for place in pair)
    return PairResult(first, second, difference, None, probability)


def _pairs(groups: Sequence[RunGroup], baseline: str | None) -> list[tuple[int, int]]:
    """Return the places of the groups of each pair."""
    if baseline is None:
        return list(combinations(range(len(groups)), 2))
    for place, group in enumerate(groups):
        if baseline == group.name or any(baseline == run.run_id for run in group.runs):
            return [(other, place) for other in range(len(groups)) if other != place]
    raise UnknownNameError(unknown_name("group", baseline, [group.name for group in groups]))


def check_question_options(options: ComparisonOptions) -> None:
    """Raise ``ParameterError`` for options that have no meaning by question."""
    if options.metrics not in ((), (METRIC,)):
        raise ParameterError(
            f"By question only {METRIC} can be compared, got {', '.join(options.metrics)}. Leave "
            "the metric out, or choose --unit seeds."
        )
    for name, value, default in (
        ("statistic", options.statistic, "mean"),
        ("interval", options.interval, "t"),
        ("across", options.across, ()),
    ):
        if value != default:
            raise ParameterError(
                f"{name}={value!r} has no meaning with --unit {options.unit}, which pairs means of "
                "the same questions. Leave it out, or choose --unit seeds."
            )


def compare_questions(
    groups: Sequence[RunGroup], options: ComparisonOptions, note: Note
) -> MetricResult:
    """Compare the test accuracy of all groups on the same questions.

    Parameters
    ----------
    groups : sequence of RunGroup
        Groups of runs of language models.
    options : ComparisonOptions
        How the runs are compared; the unit is ``questions`` or ``both``.
    note : Note
        Called with remarks that belong to the result.
    """
    records = [run for group in groups for run in group.runs]
    choose_metrics(records, [METRIC])
    chosen = select(records, METRIC, options.at, options.mode, note)
    table = read_question_scores(records, chosen.iterations, options.data_dir, note)
    _note_questions(table, note)
    means = {folder: float(scores.mean()) for folder, scores in table.scores.items()}
    scores = [table.of(group.runs) for group in groups]
    how = (table.clusters, options.unit, options.confidence)
    found = _Findings(
        METRIC,
        True,
        replace(chosen, values=means),
        [_sample(group, means) for group in groups],
        [estimate_by_question(each, *how) for each in scores],
        [
            _pair_result(
                groups, (one, two), compare_by_question(scores[one], scores[two], *how), None
            )
            for one, two in _pairs(groups, options.baseline)
        ],
    )
    return replace(_result(groups, found, options, note), num_questions=table.num_questions)


def _note_questions(table: QuestionScores, note: Note) -> None:
    if table.num_left_out:
        note(
            f"{table.num_left_out} questions are left out, because some runs have no finished "
            "dialogue about them."
        )
    if table.num_clusters < _FEW_CLUSTERS:
        note(
            f"The {table.num_questions} questions are about {table.num_clusters} problems. "
            f"Intervals over fewer than {_FEW_CLUSTERS} are rough."
        )


def _result(
    groups: Sequence[RunGroup], found: _Findings, options: ComparisonOptions, note: Note
) -> MetricResult:
    """Add curves and profiles to the numbers."""
    thresholds = thresholds_of(found.samples)
    of_curve = curve_metric([run for group in groups for run in group.runs], found.metric)
    results = []
    for group, sample, interval in zip(groups, found.samples, found.estimates, strict=True):
        series = [[series_of(run, of_curve) for run in stratum] for stratum in group.strata]
        spread = float(sample.values.std(ddof=1)) if len(sample.values) > 1 else None
        results.append(
            GroupResult(
                group.name,
                interval,
                spread,
                tuple(found.chosen.values[str(run.folder)] for run in group.runs),
                tuple(found.chosen.iterations[str(run.folder)] for run in group.runs),
                learning_curve(series, options.statistic, options.confidence, found.is_share),
                performance_profile(sample, thresholds, options.confidence),
            )
        )
    for pair in found.pairs:
        if pair.difference.standard_error == 0:
            note(
                f"Nothing varies in the difference of {pair.first!r} and {pair.second!r}, so it "
                "has no test, and its interval has no width."
            )
    return MetricResult(
        found.metric,
        found.is_share,
        found.chosen.description,
        of_curve,
        None,
        tuple(results),
        tuple(found.pairs),
    )
