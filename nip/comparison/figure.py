"""Figure of a comparison: estimates, learning curves with bands, and performance profiles."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nip.comparison.estimates import Interval
from nip.comparison.results import Comparison, GroupResult, MetricResult
from nip.run_store.report.plot_style import (
    GREY,
    colours_for,
    new_figure,
    plain_text,
    save_figure,
)

_WIDTH = 12.0
_HEIGHT = 3.6
_HEIGHT_OF_GROUP = 0.25
_MAX_POINTS_WITH_MARKERS = 25
_BAND_ALPHA = 0.18


def draw_comparison(comparison: Comparison, path: Path | str) -> None:
    """Write a PNG with one row per metric.

    On the left the estimate of each group with its interval, and the value of each run as a small
    dot; in the middle the learning curves with pointwise bands; on the right the share of runs
    above each value.

    Parameters
    ----------
    comparison : Comparison
        The comparison.
    path : Path or str
        The PNG file to write.
    """
    num_rows, num_groups = len(comparison.metrics), len(comparison.groups)
    height = (_HEIGHT + _HEIGHT_OF_GROUP * max(0, num_groups - 4)) * num_rows + 0.5
    figure = new_figure(_WIDTH, height)
    grid = figure.subplots(num_rows, 3, squeeze=False, width_ratios=[1.25, 1.4, 1])
    colours = list(colours_for([str(place) for place in range(num_groups)]).values())
    for row, metric in zip(grid, comparison.metrics, strict=True):
        _draw_estimates(row[0], metric, colours)
        _draw_curves(row[1], metric, colours)
        _draw_profiles(row[2], metric, colours)
    figure.suptitle(_caption(comparison), x=0.01, ha="left", fontsize=9, color=GREY)
    save_figure(figure, path)


def _caption(comparison: Comparison) -> str:
    options = comparison.options
    statistic = {"mean": "means", "iqm": "interquartile means"}[options.statistic]
    return f"{statistic} with {options.confidence * 100:.4g} % intervals ({options.unit})"


def _draw_estimates(axes: Axes, metric: MetricResult, colours: Sequence[str]) -> None:
    for place, (result, colour) in enumerate(zip(metric.groups, colours, strict=True)):
        found = result.estimate
        low, high = _ends(found)
        axes.plot([low, high], [place, place], color=colour, linewidth=5, alpha=0.35, zorder=1)
        axes.plot(found.value, place, marker="|", markersize=16, markeredgewidth=2.5, color=colour)
        heights = place + _spread_out(len(result.values))
        axes.scatter(result.values, heights, s=14, color=colour, edgecolor="white", linewidth=0.5)
    axes.set_yticks(
        range(len(metric.groups)), [plain_text(result.group) for result in metric.groups]
    )
    axes.set_ylim(len(metric.groups) - 0.5, -0.5)
    _style(axes, plain_text(metric.metric), "")
    if metric.is_share:
        axes.set_xlim(_within_shares(axes.get_xlim()))


def _spread_out(count: int) -> np.ndarray:
    """Return offsets between -0.3 and -0.15, so that equal values remain visible."""
    return -0.15 - 0.15 * np.arange(count) / max(count - 1, 1)


def _draw_curves(axes: Axes, metric: MetricResult, colours: Sequence[str]) -> None:
    for result, colour in zip(metric.groups, colours, strict=True):
        if result.curve.iterations:
            _draw_curve(axes, result, colour)
    _style(axes, f"learning curves: {plain_text(metric.curve_metric)}", "iteration")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))
    if metric.is_share:
        axes.set_ylim(_within_shares(axes.get_ylim()))


def _draw_curve(axes: Axes, result: GroupResult, colour: str) -> None:
    iterations = result.curve.iterations
    ends = [_ends(point) for point in result.curve.points]
    is_short = len(iterations) <= _MAX_POINTS_WITH_MARKERS
    axes.plot(
        iterations,
        [point.value for point in result.curve.points],
        color=colour,
        marker="o" if is_short else "",
        markersize=3.5,
    )
    if len(iterations) == 1:  # A band of a single iteration has no width.
        axes.plot([iterations[0]] * 2, ends[0], color=colour, linewidth=5, alpha=0.35)
    lows, highs = zip(*ends, strict=True)
    axes.fill_between(iterations, lows, highs, color=colour, alpha=_BAND_ALPHA, linewidth=0)


def _draw_profiles(axes: Axes, metric: MetricResult, colours: Sequence[str]) -> None:
    for result, colour in zip(metric.groups, colours, strict=True):
        profile = result.profile
        ends = [_ends(share) for share in profile.shares]
        shares = [share.value for share in profile.shares]
        axes.plot(profile.thresholds, shares, color=colour, drawstyle="steps-post")
        lows, highs = zip(*ends, strict=True)
        axes.fill_between(
            profile.thresholds,
            lows,
            highs,
            step="post",
            color=colour,
            alpha=0.1,
            linewidth=0,
        )
    axes.set_ylim(-0.03, 1.03)
    _style(axes, "share of runs above a value", plain_text(metric.metric))


def _style(axes: Axes, title: str, label: str) -> None:
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes.set_xlabel(label, color=GREY)
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _within_shares(limits: tuple[float, float]) -> tuple[float, float]:
    return max(limits[0], -0.03), min(limits[1], 1.03)


def _ends(interval: Interval) -> tuple[float, float]:
    low = interval.value if interval.low is None else interval.low
    return low, interval.value if interval.high is None else interval.high
