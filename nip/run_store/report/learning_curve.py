"""``learning_curve.png``: plots of the main metrics of a run."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

from matplotlib.axes import Axes

from nip.run_store.database.history import RunHistory
from nip.run_store.report.main_metrics import (
    PANELS,
    MetricName,
    Panel,
    metrics_of_panel,
    parse_metric_name,
)
from nip.run_store.report.plot_style import (
    LINE_STYLES,
    colours_for,
    draw_series,
    draw_star,
    figure_of_panels,
    legend_location,
    save_figure,
    style_axes,
)

_MAX_OTHER_PANELS = 4
_POINTS_PER_SMOOTHING_STEP = 15
_PANEL_WIDTH = 5.6
_PANEL_HEIGHT = 3.4


def draw_learning_curve(history: RunHistory, run_id: str, path: Path | str) -> None:
    """Plot the main metrics of a run as PNG, one panel per kind, with the run id as title.

    Without any of the main metrics, the first few others are plotted; without any metric, no file
    is written. Metrics of the test split have the colour of their training counterparts: a dashed
    line for several values, a star for a single one, whose value is in the legend.
    """
    panels = _panels_with_data(history)
    if not panels:
        return
    num_columns = min(2, len(panels))
    num_rows = math.ceil(len(panels) / num_columns)
    width, height = _PANEL_WIDTH * num_columns, _PANEL_HEIGHT * num_rows + 0.4
    figure, grid = figure_of_panels(width, height, num_rows, num_columns)
    figure.suptitle(
        f"Run {run_id}, iteration {history.last_iteration}", x=0.01, ha="left", fontsize=13
    )
    colours = colours_for(_subjects(panels))
    for axes, (panel, metrics) in zip(grid, panels, strict=False):
        _draw_panel(axes, panel, metrics, history, colours)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    save_figure(figure, path)


def _panels_with_data(history: RunHistory) -> list[tuple[Panel, list[MetricName]]]:
    """Return the panels with data and their metrics."""
    names = [name for name in history.names() if _has_finite_value(history, name)]
    panels = [(panel, metrics_of_panel(panel, names)) for panel in PANELS]
    panels = [(panel, metrics) for panel, metrics in panels if metrics]
    if panels:
        return panels
    return [(Panel(name, (name,)), [parse_metric_name(name)]) for name in names[:_MAX_OTHER_PANELS]]


def _has_finite_value(history: RunHistory, name: str) -> bool:
    return any(math.isfinite(value) for _, value in history.values(name))


def _subjects(panels: Sequence[tuple[Panel, list[MetricName]]]) -> list[str]:
    """Return the agents, so that each has the same colour in all panels."""
    return sorted({metric.subject for _, metrics in panels for metric in metrics if metric.subject})


def _draw_panel(
    axes: Axes,
    panel: Panel,
    metrics: Sequence[MetricName],
    history: RunHistory,
    agent_colours: Mapping[str, str],
) -> None:
    styles_by_key = _line_styles(metrics, agent_colours)
    stars = {m.key: m for m in metrics if m.is_test and len(history.values(m.name)) == 1}
    curves = [metric for metric in metrics if stars.get(metric.key) is not metric]
    for metric in curves:
        points = history.values(metric.name)
        label, (colour, line_style) = _label(metric, metrics), styles_by_key[metric.key]
        if metric.is_test:
            draw_series(axes, points, f"{label} (test)", colour, "--")
        else:
            star = stars.get(metric.key)
            test_value = f" (test {history.latest(star.name):.3g})" if star else ""
            smoothing = len(points) // _POINTS_PER_SMOOTHING_STEP
            draw_series(axes, points, label + test_value, colour, line_style, smoothing)
    with_curve = {metric.key for metric in curves}
    for key, star in stars.items():
        point = history.values(star.name)[0]
        label = "" if key in with_curve else f"{_label(star, metrics)} (test {point[1]:.3g})"
        draw_star(axes, point, styles_by_key[key][0], size=13, label=label)
    style_axes(axes, panel.title, panel.is_share)
    if len(metrics) > 1 or metrics[0].subject:
        axes.legend(
            fontsize=8, handlelength=3, framealpha=0.8, edgecolor="none", loc=legend_location(axes)
        )


def _line_styles(
    metrics: Sequence[MetricName], agent_colours: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return colour and line style by key: one colour per agent, or else per quantity."""
    quantities = list(dict.fromkeys(metric.quantity for metric in metrics))
    colours = colours_for(quantities)
    styles = dict(zip(quantities, cycle(LINE_STYLES), strict=False))
    return {
        metric.key: (agent_colours[metric.subject], styles[metric.quantity])
        if metric.subject
        else (colours[metric.quantity], "-")
        for metric in metrics
    }


def _label(metric: MetricName, others: Sequence[MetricName]) -> str:
    """Label a curve by its agent, and by its quantity if the panel shows several."""
    quantity = metric.quantity.removeprefix("mean_").replace("_", " ")
    is_implied = metric.subject and all(other.quantity == metric.quantity for other in others)
    return " ".join(part for part in (metric.subject, "" if is_implied else quantity) if part)
