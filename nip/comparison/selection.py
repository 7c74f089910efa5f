"""Which metrics are compared, and at which iterations."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nip.comparison.runs import RunRecord
from nip.errors import ParameterError, UnknownNameError, unknown_name
from nip.run_store.report.main_metrics import PANELS, TEST_PREFIX, main_metrics, parse_metric_name

At = Literal["common", "last", "best"] | int
"""``common``: the last iteration that all runs have; ``last`` and ``best``: of each run by itself;
a number: that iteration."""

AT_WORDS = ("common", "last", "best")
Mode = Literal["max", "min"]
Series = Mapping[int, float]


@dataclass(frozen=True)
class Selection:
    """The values of one metric that are compared."""

    description: str
    """Which iterations are compared, in words."""

    iterations: Mapping[str, int]
    """Iteration of each run, by the folder of the run."""

    values: Mapping[str, float]
    """Value of each run, by the folder of the run."""


def series_of(run: RunRecord, metric: str) -> dict[int, float]:
    """Return the value of a metric at each iteration of a run."""
    return dict(run.history.values(metric))


def is_share(metric: str) -> bool:
    """Return whether a metric is a proportion between 0 and 1."""
    quantity = parse_metric_name(metric).quantity
    return quantity.endswith(("_share", "accuracy")) or any(
        panel.is_share and quantity in panel.quantities for panel in PANELS
    )


def common_metrics(runs: Sequence[RunRecord]) -> list[str]:
    """Return the names of the metrics that all runs have, sorted."""
    names = [set(run.history.names()) for run in runs]
    return sorted(set.intersection(*names))


def curve_metric(runs: Sequence[RunRecord], metric: str) -> str:
    """Return the metric of the learning curves, which is that of training after a single test."""
    trained = metric.removeprefix(TEST_PREFIX)
    is_tested_once = all(len(run.history.values(metric)) == 1 for run in runs)
    is_known = all(trained in run.history.names() for run in runs)
    return trained if is_tested_once and is_known else metric


def choose_metrics(runs: Sequence[RunRecord], wanted: Sequence[str] = ()) -> list[str]:
    """Return the metrics to compare: the given ones, or the main metric that all runs have.

    The main metric is the first of those of the summary of a run, on the test split if all runs
    were tested: usually ``test_mean_accuracy``.

    Raises
    ------
    UnknownNameError
        If no run has a metric of that name; the message names close ones.
    ParameterError
        If some runs lack a metric, or there is none that all have.
    """
    for run in runs:
        if not run.history.names():
            raise ParameterError(
                f"Run {run.run_id!r} has no metrics yet ({run.folder}). Leave it out, or wait "
                "until its first iteration is finished."
            )
    common = common_metrics(runs)
    for metric in wanted:
        if metric not in common:
            _refuse(metric, runs, common)
    if wanted:
        return list(dict.fromkeys(wanted))
    if not common:
        raise ParameterError(
            "No metric is common to all runs. "
            + " ".join(f"{run.run_id} has: {_listed(run.history.names())}." for run in runs[:2])
            + " Leave out the runs of another kind."
        )
    by_importance = main_metrics(common)
    tested = [each for each in by_importance if each.is_test]
    return [(tested or list(by_importance))[0].name]


def _refuse(metric: str, runs: Sequence[RunRecord], common: Sequence[str]) -> None:
    lacking = [run.run_id for run in runs if metric not in run.history.names()]
    if len(lacking) == len(runs):
        known = {name for run in runs for name in run.history.names()}
        raise UnknownNameError(unknown_name("metric", metric, known))
    raise ParameterError(
        f"{_listed(lacking)} {'has' if len(lacking) == 1 else 'have'} no metric {metric!r}, which "
        f"other runs have. Metrics of all runs: {_listed(common)}. Choose one of these, or leave "
        "out the runs without it."
    )


def select(
    runs: Sequence[RunRecord],
    metric: str,
    at: At,
    mode: Mode,
    note: Callable[[str], object],
) -> Selection:
    """Choose the iteration of each run at which a metric is compared.

    Parameters
    ----------
    runs : sequence of RunRecord
        Runs that all have the metric.
    metric : str
        Name of the metric.
    at : At
        ``common``, ``last``, ``best`` or the number of an iteration.
    mode : Mode
        Whether the best value is the largest or the smallest.
    note : callable
        Called with remarks that belong to the result.

    Raises
    ------
    ParameterError
        If not all runs have the iteration, or a value is not finite.
    """
    series = {str(run.folder): series_of(run, metric) for run in runs}
    if at == "best":
        iterations, description = _best(runs, metric, mode, note)
    elif at == "last":
        iterations = {folder: max(each) for folder, each in series.items()}
        description = f"last iteration of each run with a value ({_span(iterations.values())})"
    else:
        iteration = _common(runs, series, metric) if at == "common" else int(at)
        _check_present(runs, series, metric, iteration)
        iterations = dict.fromkeys(series, iteration)
        description = f"iteration {iteration}" + (
            ", the last that all runs have" if at == "common" else ""
        )
    values = {folder: series[folder][iteration] for folder, iteration in iterations.items()}
    for run in runs:
        _check_finite(run, metric, iterations[str(run.folder)], values[str(run.folder)])
    if at == "common":
        _note_shortened(runs, series, metric, next(iter(iterations.values())), note)
    return Selection(description, iterations, values)


def _best(
    runs: Sequence[RunRecord], metric: str, mode: Mode, note: Callable[[str], object]
) -> tuple[dict[str, int], str]:
    """Choose the best iterations by the same metric on the training split, if all runs have it.

    The largest of several test values would be too large on average.
    """
    chosen = metric.removeprefix(TEST_PREFIX)
    own = {str(run.folder): series_of(run, metric) for run in runs}
    by = own
    if chosen != metric and all(chosen in run.history.names() for run in runs):
        by = {str(run.folder): series_of(run, chosen) for run in runs}
        by = {f: {i: v for i, v in each.items() if i in own[f]} for f, each in by.items()}
    if by is own or not all(by.values()):
        by, chosen = own, metric
        note(
            f"The best iteration of each run was chosen by {metric} itself, so that its value is "
            "too good on average, the more iterations there are to choose from."
        )
    sign = 1 if mode == "max" else -1
    iterations = {folder: _best_iteration(each, sign) for folder, each in by.items()}
    what = "largest" if mode == "max" else "smallest"
    return (
        iterations,
        f"iteration with the {what} {chosen} of each run ({_span(iterations.values())})",
    )


def _best_iteration(series: Series, sign: int) -> int:
    """Return the first iteration with the best value; NaN is the worst."""
    values = {i: -math.inf if math.isnan(value) else sign * value for i, value in series.items()}
    return max(sorted(values), key=values.__getitem__)


def _common(runs: Sequence[RunRecord], series: Mapping[str, Series], metric: str) -> int:
    common = set.intersection(*(set(each) for each in series.values()))
    if not common:
        last = ", ".join(f"{run.run_id} at {max(series[str(run.folder)])}" for run in runs[:6])
        raise ParameterError(
            f"There is no iteration at which all runs have {metric} (last values: {last}). Choose "
            "--at last to compare each run at its own last value, or a metric that is measured at "
            "every iteration."
        )
    return max(common)


def _check_present(
    runs: Sequence[RunRecord], series: Mapping[str, Series], metric: str, iteration: int
) -> None:
    lacking = [run.run_id for run in runs if iteration not in series[str(run.folder)]]
    if lacking:
        common = sorted(set.intersection(*(set(each) for each in series.values())))
        advice = (
            f"All runs have a value at: {_listed(map(str, common))}. Choose one of these"
            if common
            else "There is no iteration that all runs have. Choose --at last"
        )
        raise ParameterError(
            f"At iteration {iteration} there is no {metric} of {_listed(lacking)}. {advice}."
        )


def _check_finite(run: RunRecord, metric: str, iteration: int, value: float) -> None:
    if not math.isfinite(value):
        raise ParameterError(
            f"Run {run.run_id!r} has {metric}={value} at iteration {iteration}, of which there is "
            "no mean. Compare an earlier iteration with --at, or leave the run out and say so."
        )


def _note_shortened(
    runs: Sequence[RunRecord],
    series: Mapping[str, Series],
    metric: str,
    iteration: int,
    note: Callable[[str], object],
) -> None:
    longer = [run.run_id for run in runs if max(series[str(run.folder)]) > iteration]
    if longer:
        note(
            f"{metric} is compared at iteration {iteration}, although {_listed(longer)} "
            f"{'has' if len(longer) == 1 else 'have'} later values, because other runs have none."
        )


def _span(iterations: Iterable[int]) -> str:
    numbers = sorted(set(iterations))
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _listed(names: Iterable[str], limit: int = 12) -> str:
    listed = list(names)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
