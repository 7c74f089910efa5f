"""Plot of metrics of several runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from nip.run_store.database.history import RunHistory
from nip.run_store.report.main_metrics import PANELS, parse_metric_name
from nip.run_store.report.plot_style import (
    GREY,
    colours_for,
    draw_series,
    draw_star,
    legend_location,
    new_figure,
    save_figure,
    style_axes,
)

_WIDTH, _HEIGHT = 8.0, 4.8
_CLOSE_LINES = 0.06
_LABEL_SIZE = 10.0
"""Size of the labels of curves, in points; smaller if there are too many for the height."""
_LINE_SPACING = 1.25
_AXES_POINTS = 0.75 * 72 * _HEIGHT
"""Least height of the axes within the figure, in points."""


@dataclass(frozen=True)
class ReferenceLine:
    """A horizontal reference line, such as an upper bound or a published result."""

    value: float
    """Value of the metric."""

    label: str
    """Label of the line."""


def draw_comparison(
    histories: Mapping[str, RunHistory],
    metrics: Sequence[str],
    path: Path | str,
    lines: Sequence[ReferenceLine] = (),
    smoothing: int = 1,
    title: str | None = None,
) -> None:
    """Plot metrics of several runs, with the final value of each on the test split.

    Several metrics have a panel each, two in a row, with the legend and the reference lines in the
    first one.

    Parameters
    ----------
    histories : Mapping[str, RunHistory]
        The metrics of each run by its legend label.
    metrics : Sequence[str]
        Names of the metrics; ``UnknownNameError`` if a run never logged one.
    path : Path or str
        The PNG file to write.
    smoothing : int
        Window of the moving mean, in iterations; 1: no smoothing.
    title : str, optional
        Title of the figure; by default the name of the metric. Panels have theirs besides.
    """
    num_columns = min(len(metrics), 2)
    num_rows = math.ceil(len(metrics) / 2)
    figure = new_figure(_WIDTH * (1 if num_columns == 1 else 1.5), _HEIGHT * num_rows)
    panels = list(figure.subplots(num_rows, num_columns, squeeze=False).flat)
    for index, (metric, axes) in enumerate(zip(metrics, panels, strict=False)):
        is_first = index == 0
        own_title = title if len(metrics) == 1 else None
        _draw_panel(axes, histories, metric, lines if is_first else (), smoothing, own_title)
        if not is_first:
            axes.get_legend().remove()
    for axes in panels[len(metrics) :]:
        axes.set_axis_off()
    if title is not None and len(metrics) > 1:
        figure.suptitle(title)
    save_figure(figure, path)


def _draw_panel(
    axes: Axes,
    histories: Mapping[str, RunHistory],
    metric: str,
    lines: Sequence[ReferenceLine],
    smoothing: int,
    title: str | None,
) -> None:
    test_values: list[tuple[str, int, float]] = []
    for name, colour in colours_for(list(histories)).items():
        history = histories[name]
        draw_series(axes, history.values(metric), name, colour, smoothing=smoothing)
        test_value = _test_value(history, metric)
        if test_value is not None:
            test_values.append((colour, history.values(metric)[-1][0], test_value))
    quantity = parse_metric_name(metric).quantity
    is_share = any(panel.is_share and quantity in panel.quantities for panel in PANELS)
    style_axes(axes, title or metric.replace("_", " "), is_share)
    axes.set_ylabel(metric.replace("_", " "), color=GREY)
    for colour, iteration, test_value in test_values:
        draw_star(axes, (iteration, test_value), colour, size=16)
    if is_share:
        _set_lower_limit(axes, lines)
    _label_test_values(axes, test_values)
    _draw_lines(axes, lines)
    _draw_legend(axes, has_test_values=bool(test_values), smoothing=smoothing)


def _test_value(history: RunHistory, metric: str) -> float | None:
    """Return the last value of the same metric on the test split."""
    key = parse_metric_name(metric).key
    for name in history.names():
        parsed = parse_metric_name(name)
        if parsed.is_test and parsed.key == key:
            value = history.latest(name)
            return value if math.isfinite(value) else None
    return None


def _label_test_values(axes: Axes, values: Sequence[tuple[str, int, float]]) -> None:
    """Write the values at the right edge, in the colours of the curves, without overlaps."""
    ordered = sorted(values, key=lambda each: each[2])
    wanted = [float(axes.transLimits.transform((0, value))[1]) for _, _, value in ordered]
    font_size = min(_LABEL_SIZE, _AXES_POINTS / _LINE_SPACING / max(len(ordered), 1))
    heights = spread_apart(wanted, font_size * _LINE_SPACING / _AXES_POINTS)
    for (colour, _, value), height in zip(ordered, heights, strict=True):
        axes.annotate(
            f"{value:.3g}",
            (1.0, height),
            xycoords="axes fraction",
            xytext=(11, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=font_size,
            fontweight="bold",
            annotation_clip=False,
        )


def spread_apart(heights: Sequence[float], distance: float) -> list[float]:
    """Move ascending heights as little as possible until neighbours have a distance.

    They stay in their order and, where there is room, between 0 and 1. Heights that are too close
    form a group around their mean (pool adjacent violators).
    """
    groups: list[list[float]] = []  # Sum of the wanted bottoms of the members, and their number.
    for index, height in enumerate(heights):
        groups.append([height - index * distance, 1.0])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] >= groups[-1][0] / groups[-1][1]:
            total, count = groups.pop()
            groups[-1] = [groups[-1][0] + total, groups[-1][1] + count]
    top = max(0.0, 1 - (len(heights) - 1) * distance)
    bottoms = [
        min(max(total / count, 0.0), top) for total, count in groups for _ in range(int(count))
    ]
    return [bottom + index * distance for index, bottom in enumerate(bottoms)]


def _draw_lines(axes: Axes, lines: Sequence[ReferenceLine]) -> None:
    """Draw the reference lines, with labels on the right, where curves are flat."""
    ordered = sorted(lines, key=lambda line: line.value)
    for line in ordered:
        axes.axhline(line.value, color=GREY, linestyle="--", linewidth=1.1, zorder=1)
    low, high = axes.get_ylim()
    following_values = [*(line.value for line in ordered[1:]), math.inf]
    for line, following_value in zip(ordered, following_values, strict=False):
        is_crowded = following_value - line.value < _CLOSE_LINES * (high - low)
        axes.annotate(
            f"{line.label} ({line.value:.3g})",
            (0.98, line.value),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, -3 if is_crowded else 3),
            textcoords="offset points",
            ha="right",
            va="top" if is_crowded else "bottom",
            fontsize=9,
            color=GREY,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )


def _set_lower_limit(axes: Axes, lines: Sequence[ReferenceLine]) -> None:
    """Set the lower limit of an axis of proportions just below the lowest value."""
    curves = [np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()]
    lowest = np.nanmin(np.concatenate([*curves, [line.value for line in lines]]))
    axes.set_ylim(bottom=max(0.0, math.floor(lowest * 10) / 10) - 0.03)


def _draw_legend(axes: Axes, has_test_values: bool, smoothing: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if has_test_values:
        handles += axes.plot([], [], linestyle="", marker="*", markersize=12, color=GREY)
        labels.append("final value on the test split")
    title = f"mean of {smoothing} iterations" if smoothing > 1 else None
    legend = axes.legend(
        handles,
        labels,
        title=title,
        fontsize=9,
        framealpha=0.85,
        edgecolor="none",
        loc=legend_location(axes),
    )
    legend.get_title().set_fontsize(8)
