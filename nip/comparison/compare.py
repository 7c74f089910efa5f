"""``compare_runs``: compare stored runs, with the seeds as units."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nip.comparison.differences import holm
from nip.comparison.estimates import INTERVAL_METHODS, STATISTICS
from nip.comparison.grouping import (
    SEED,
    RunGroup,
    differing_parameters,
    group_by_hand,
    group_runs,
)
from nip.comparison.metric_results import (
    Note,
    check_question_options,
    compare_metric,
    compare_questions,
)
from nip.comparison.questions import UNITS
from nip.comparison.results import (
    Comparison,
    ComparisonOptions,
    GroupSummary,
    MetricResult,
)
from nip.comparison.runs import RunRecord, Runs, read_runs
from nip.comparison.selection import AT_WORDS, choose_metrics
from nip.errors import ParameterError, shown

_TASK = ("scenario", "dataset")
"""Parameters that decide what the agents have to solve."""


def compare_runs(
    runs: Runs | Mapping[str, Runs],
    runs_dir: Path | str = "runs",
    options: ComparisonOptions | None = None,
) -> Comparison:
    """Compare groups of runs that differ in their seeds only.

    Parameters
    ----------
    runs : str, Path, sequence of them, or mapping of str to them
        Run ids, folders, or patterns of run ids such as ``nip-*``. The groups are found from the
        stored parameters, unless a mapping names them.
    runs_dir : Path or str
        Folder of the runs.
    options : ComparisonOptions, optional
        What is compared and how.

    Returns
    -------
    comparison : Comparison
        Estimates, differences, curves and profiles of each metric, as plain data.

    Raises
    ------
    ParameterError
        If a run cannot be read, a group has too few runs, or the metrics, iterations or questions
        that are asked for are not common to all runs.
    UnknownNameError
        If a metric, parameter or group does not exist.
    """
    options = options or ComparisonOptions()
    _check_options(options)
    notes: list[str] = []
    groups = _groups(runs, runs_dir, options, notes.append)
    _check_sizes(groups, options)
    _note_states(groups, notes.append)
    records = [run for group in groups for run in group.runs]
    if options.unit != "seeds":
        check_question_options(options)
        metrics = [compare_questions(groups, options, notes.append)]
    else:
        metrics = [
            compare_metric(groups, metric, options, notes.append)
            for metric in choose_metrics(records, options.metrics)
        ]
    parameters = differing_parameters(groups, [SEED, *options.ignore, *options.across])
    for name in _TASK:
        if name in parameters:
            notes.append(
                f"The groups have different values of {name}, so that a difference may be one of "
                "the tasks and not of the agents."
            )
    return Comparison(
        options,
        tuple(_summary(group) for group in groups),
        parameters,
        tuple(_corrected(metrics)),
        tuple(dict.fromkeys(notes)),
    )


def _check_options(options: ComparisonOptions) -> None:
    choices = {
        "statistic": STATISTICS,
        "interval": INTERVAL_METHODS,
        "mode": ("max", "min"),
        "unit": UNITS,
    }
    for name, known in choices.items():
        if getattr(options, name) not in known:
            value = shown(getattr(options, name))
            raise ParameterError(f"{name} must be one of {', '.join(known)}; got {value}.")
    if not 0 < options.confidence < 1:
        raise ParameterError(
            f"confidence must lie between 0 and 1, got {options.confidence}. 0.95 is usual."
        )
    is_number = isinstance(options.at, int) and options.at >= 0
    if not is_number and options.at not in AT_WORDS:
        raise ParameterError(
            f"at must be one of {', '.join(AT_WORDS)}, or the number of an iteration; got "
            f"{shown(options.at)}."
        )


def _groups(
    runs: Runs | Mapping[str, Runs], runs_dir: Path | str, options: ComparisonOptions, note: Note
) -> tuple[RunGroup, ...]:
    if isinstance(runs, Mapping):
        if options.across or options.ignore:
            raise ParameterError(
                "ignore and across decide which runs form a group, so they have no meaning with "
                "groups that are given by hand. Leave out either."
            )
        named = {name: read_runs(each, runs_dir, note) for name, each in runs.items()}
        _check_disjoint(named)
        groups = group_by_hand(named)
        _note_mixtures(groups, note)
        return groups
    records = read_runs(runs, runs_dir, note)
    if not records:
        raise ParameterError("There are no runs to compare. Give run ids, folders or patterns.")
    return group_runs(records, options.ignore, options.across)


def _check_disjoint(named: Mapping[str, Sequence[RunRecord]]) -> None:
    homes: dict[Path, str] = {}
    for name, records in named.items():
        for record in records:
            other = homes.setdefault(record.folder.resolve(), name)
            if other != name:
                raise ParameterError(
                    f"Run {record.run_id!r} is in the groups {other!r} and {name!r}, which would "
                    "be compared as if they were independent. Leave it out of one."
                )


def _note_mixtures(groups: Sequence[RunGroup], note: Note) -> None:
    for group in groups:
        alone = [RunGroup("", ((run,),)) for run in group.runs]
        if mixed := differing_parameters(alone):
            note(
                f"The runs of {group.name!r} differ in more than their seeds: "
                f"{', '.join(list(mixed)[:8])}."
            )


def _check_sizes(groups: Sequence[RunGroup], options: ComparisonOptions) -> None:
    for group in groups:
        for stratum in group.strata:
            if len(stratum) < 2 and options.unit != "questions":
                raise ParameterError(
                    f"The group {group.name!r} has a single run of its kind "
                    f"({stratum[0].run_id}), and an interval over seeds needs at least 2. Train it "
                    "with other seeds (seed=...). If its runs differ in a parameter that does not "
                    "matter, name it with --ignore. For language models, --unit questions compares "
                    "these agents only."
                )


def _note_states(groups: Sequence[RunGroup], note: Note) -> None:
    for group in groups:
        for run in group.runs:
            if not run.is_finished:
                state = "failed" if run.status == "failed" else "is not finished"
                note(f"Run {run.run_id!r} {state}, at iteration {run.history.last_iteration}.")


def _summary(group: RunGroup) -> GroupSummary:
    return GroupSummary(
        group.name,
        tuple(run.run_id for run in group.runs),
        tuple(run.seed for run in group.runs),
        tuple(run.status for run in group.runs),
    )


def _corrected(metrics: Sequence[MetricResult]) -> list[MetricResult]:
    """Correct the p-values of all pairs and metrics together."""
    adjusted = iter(holm([pair.difference.p_value for metric in metrics for pair in metric.pairs]))
    return [
        replace(
            metric,
            pairs=tuple(replace(pair, adjusted_p_value=next(adjusted)) for pair in metric.pairs),
        )
        for metric in metrics
    ]
