"""Common style of all plots."""

import warnings
from collections.abc import Sequence
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from nip.errors import shortened
from nip.utils.files import write_atomically
from nip.utils.unicode_text import valid_unicode, visible

# Okabe & Ito (2008): distinguishable with all kinds of colour blindness. Their yellow is excluded,
# because it is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINE_STYLES = ("-", "--", ":", "-.")
GREY = "#555555"

_PADDING = 0.1
_DOTS_PER_INCH = 130
_MAX_POINTS_WITH_MARKERS = 25
_MAX_POINTS_TO_SEARCH = 20_000
_MAX_CHARACTERS = 80
"""Length to which a text in a figure is shortened."""


def new_figure(width: float, height: float) -> Figure:
    """Create a figure without a display and without global state of matplotlib."""
    layout = ConstrainedLayoutEngine(w_pad=_PADDING, h_pad=_PADDING)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def figure_of_panels(
    width: float, height: float, num_rows: int, num_columns: int
) -> tuple[Figure, list[Axes]]:
    """Create a figure with panels, row by row, and margins that hold titles, labels and numbers.

    The margins are fixed: a layout by the sizes of all texts takes as long as drawing the figure.
    """
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("none")  # Whatever a file of matplotlib's settings says.
    FigureCanvasAgg(figure)
    left, right, bottom, top, between = 0.75, 0.2, 0.55, 0.75, 0.95  # Inches.
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
        # Relative to the size of a panel.
        wspace=between / _share(width - left - right, between, num_columns),
        hspace=between / _share(height - bottom - top, between, num_rows),
    )
    return figure, list(figure.subplots(num_rows, num_columns, squeeze=False).flat)


def _share(size: float, between: float, count: int) -> float:
    """Return the size of each of several parts with space between them."""
    return (size - (count - 1) * between) / count


def save_figure(figure: Figure, path: Path | str) -> None:
    """Write a figure to a PNG file, atomically, with its texts as they are: without formulas."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
        text.set_text(plain_text(text.get_text()))
    buffer = BytesIO()
    with warnings.catch_warnings():
        # Characters without a glyph are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    write_atomically(path, buffer.getvalue())


def plain_text(text: str) -> str:
    """Return a text of any origin as a figure can show it: short, with visible controls."""
    return shortened(visible(valid_unicode(text)), _MAX_CHARACTERS)


def style_axes(axes: Axes, title: str, is_share: bool = False) -> None:
    """Set title, grid and integer ticks of axes over iterations."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel("iteration", color=GREY)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.02, y=0.08)
    if is_share:
        axes.set_ylim(-0.03, 1.03)


def draw_series(
    axes: Axes,
    points: Sequence[tuple[int, float]],
    label: str,
    colour: str,
    line_style: str = "-",
    smoothing: int = 1,
) -> None:
    """Draw (iteration, value) pairs; if smoothed, over a faint line of the original values.

    Short series also have markers, so that a single point is visible. ``line_style`` is one of
    ``LINE_STYLES``, and ``smoothing`` the window of the moving mean, in points.
    """
    iterations, values = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    marker = "o" if len(points) <= _MAX_POINTS_WITH_MARKERS else ""
    if smoothing > 1:
        axes.plot(iterations, values, color=colour, linewidth=0.8, alpha=0.3)
        values = moving_mean(values, smoothing)
    axes.plot(
        iterations,
        values,
        label=label,
        color=colour,
        linestyle=line_style,
        linewidth=1.8,
        marker=marker,
        markersize=3.5,
    )


def draw_star(
    axes: Axes, point: tuple[int, float], colour: str, size: int, label: str = ""
) -> None:
    """Mark the value of a metric on the test split."""
    axes.plot(
        *point,
        linestyle="",
        marker="*",
        markersize=size,
        color=colour,
        markeredgecolor="white",
        zorder=5,
        clip_on=False,
        label=label or None,
    )


def legend_location(axes: Axes) -> str:
    """Return the location of the legend; the best one if the search is not too slow."""
    num_points = sum(np.size(line.get_xdata()) for line in axes.get_lines())
    return "best" if num_points <= _MAX_POINTS_TO_SEARCH else "upper left"


def moving_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Return the centred moving mean of an array of shape (n,), of the same shape.

    At the ends the window shrinks symmetrically, which preserves linear trends; an even window is
    rounded up to odd. NaN and infinities are excluded; without a finite value the mean is NaN.
    """
    half = window // 2
    is_known = np.isfinite(values)
    totals = np.concatenate([[0.0], np.cumsum(np.where(is_known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(is_known)])
    index = np.arange(len(values))
    reach = np.minimum(half, np.minimum(index, len(values) - 1 - index))
    low, high = index - reach, index + reach + 1
    count = counts[high] - counts[low]
    means = (totals[high] - totals[low]) / np.maximum(count, 1)
    return np.where(count > 0, means, np.nan)


def colours_for(names: Sequence[str]) -> dict[str, str]:
    """Assign a colour to each name, in order."""
    return dict(zip(names, islice(cycle(COLOURS), len(names)), strict=True))
