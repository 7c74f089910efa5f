"""The moving mean of plots, and texts of others in figures."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.run_store.report.plot_style import moving_mean, new_figure, save_figure, style_axes


def test_moving_mean_leaves_nan_out_and_shrinks_at_the_ends():
    means = moving_mean(np.array([1.0, 2.0, math.nan, 4.0, 9.0]), 3)
    assert means == pytest.approx([1.0, 1.5, 3.0, 6.5, 9.0])
    assert np.isnan(moving_mean(np.array([math.nan]), 5)).all()


@given(
    slope=st.floats(-5, 5),
    start=st.floats(-5, 5),
    length=st.integers(1, 30),
    window=st.integers(1, 40),
)
def test_moving_mean_keeps_straight_lines(slope, start, length, window):
    line = start + slope * np.arange(length)
    assert moving_mean(line, window) == pytest.approx(line, abs=1e-9)


def test_texts_of_others_are_no_formulas_and_are_drawn_without_warnings(tmp_path):
    texts = [r"$\frac{", "$a$", "\x1b[2J\x07", "\u202eabc", "\ud800", "\u8a9e", "a" * 5000, "a\nb"]
    figure = new_figure(8, 4)
    axes = figure.subplots()
    style_axes(axes, texts[0])
    axes.set_xticks(range(len(texts)), texts)
    for position, text in enumerate(texts):
        axes.plot([position, 1], label=text)
        axes.annotate(text, (position, 1))
    axes.legend(title=texts[1])
    figure.suptitle(texts[1])
    save_figure(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    drawn = [each.get_text() for each in axes.texts]
    assert drawn[:4] == [r"$\frac{", "$a$", r"\x1b[2J\x07", r"\u202eabc"]
    assert len(drawn[6]) < 100
