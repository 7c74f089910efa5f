"""Learning curves and comparisons of runs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import UnknownNameError
from nip.run_store import RunHistory
from nip.run_store.report.comparison_plot import ReferenceLine, draw_comparison
from nip.run_store.report.learning_curve import draw_learning_curve
from nip.run_store.report.plot_style import COLOURS, moving_mean


@pytest.fixture
def figures(monkeypatch):
    """Collect the figures instead of writing them."""
    collected = []
    for module in ("comparison_plot", "learning_curve"):
        monkeypatch.setattr(
            f"nip.run_store.report.{module}.save_figure",
            lambda figure, _path: collected.append(figure),
        )
    return collected


def history_of(**series):
    history = RunHistory()
    for name, values in series.items():
        for iteration, value in enumerate(values, start=1):
            history.update(iteration, {name.replace("__", "."): value})
    return history


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_learning_curve_has_a_panel_for_each_kind_and_the_run_id(figures, tmp_path):
    history = history_of(
        mean_accuracy=[0.5, 0.9],
        soundness=[0.4, 0.8],
        prover__mean_episode_reward=[0.1, 0.2],
        verifier__mean_episode_reward=[0.3, 0.4],
        something_else=[1, 2],
    )
    history.update(2, {"test_mean_accuracy": 0.875})
    draw_learning_curve(history, "my_run", tmp_path / "curve.png")
    (figure,) = figures
    assert "my_run" in figure.get_suptitle()
    accuracy, reward = figure.axes
    assert accuracy.get_title(loc="left") == "Accuracy"
    assert legend_of(accuracy) == ["accuracy (test 0.875)", "soundness"]
    assert legend_of(reward) == ["prover", "verifier"]
    assert reward.lines[0].get_ydata().tolist() == [0.1, 0.2]


def test_test_values_are_stars_or_a_dashed_curve_in_the_colour_of_training(figures, tmp_path):
    history = history_of(prover__loss=[3.0, 2.0], test_prover__loss=[3.5, 2.5])
    history.update(2, {"test_verifier.loss": 1.25})
    draw_learning_curve(history, "r", tmp_path / "curve.png")
    (axes,) = figures[0].axes
    assert legend_of(axes) == ["prover", "prover (test)", "verifier (test 1.25)"]
    training, test, star = axes.lines
    assert training.get_color() == test.get_color() != star.get_color()
    assert (test.get_linestyle(), star.get_marker()) == ("--", "*")


def test_without_main_metrics_the_first_others_are_drawn(figures, tmp_path):
    draw_learning_curve(history_of(a=[1], b=[math.nan], c=[2, 3]), "r", tmp_path / "curve.png")
    assert [axes.get_title(loc="left") for axes in figures[0].axes] == ["a", "c"]


@pytest.mark.parametrize("history", [history_of(), history_of(a=[math.nan])])
def test_without_any_number_there_is_no_picture(history, tmp_path):
    draw_learning_curve(history, "r", tmp_path / "curve.png")
    assert not (tmp_path / "curve.png").exists()


@pytest.mark.parametrize(
    "values", [[0.5], [math.nan, 0.5, math.nan], [0.1, math.inf, 0.2], [1e30, -1e30], [0.0] * 300]
)
def test_odd_series_can_be_drawn_on_a_real_canvas(values, tmp_path):
    path = tmp_path / "curve.png"
    history = history_of(mean_accuracy=values, prover__mean_episode_reward=values)
    draw_learning_curve(history, "r", path)
    assert path.read_bytes().startswith(b"\x89PNG")
    draw_comparison({"a": history}, "mean_accuracy", path, smoothing=3)


def test_a_comparison_shows_each_run_its_test_value_and_labelled_lines(figures, tmp_path):
    first, second = history_of(mean_accuracy=[0.5, 0.9]), history_of(mean_accuracy=[0.5, 0.6])
    first.update(2, {"test_mean_accuracy": 0.8125})
    draw_comparison(
        {"first": first, "second": second},
        "mean_accuracy",
        tmp_path / "c.png",
        [ReferenceLine(0.64, "ceiling")],
        title="Who wins?",
    )
    (axes,) = figures[0].axes
    assert axes.get_title(loc="left") == "Who wins?"
    assert legend_of(axes) == ["first", "second", "test split, at the end"]
    assert [text.get_text() for text in axes.texts] == ["0.812", "ceiling (0.64)"]
    curves = {line.get_label(): line for line in axes.lines}
    assert curves["first"].get_ydata().tolist() == [0.5, 0.9]
    assert [curves[name].get_color() for name in ("first", "second")] == list(COLOURS[:2])
    assert any(list(line.get_ydata()) == [0.64, 0.64] for line in axes.lines)


def test_smoothing_draws_the_mean_over_the_original(figures, tmp_path):
    history = history_of(mean_accuracy=[0.0, 0.3, 0.6, 0.0])
    draw_comparison({"r": history}, "mean_accuracy", tmp_path / "c.png", smoothing=3)
    original, mean = figures[0].axes[0].lines[:2]
    assert original.get_ydata().tolist() == [0.0, 0.3, 0.6, 0.0]
    assert mean.get_ydata() == pytest.approx([0.0, 0.3, 0.3, 0.0])


def test_a_metric_that_a_run_lacks_is_an_error_with_a_suggestion(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'mean_accuracy'"):
        draw_comparison({"r": history_of(mean_accuracy=[1])}, "mean_acuracy", tmp_path / "c.png")


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
