"""Learning curves of one run."""

import math

import pytest

from nip.run_store.report.comparison_plot import draw_comparison
from nip.run_store.report.learning_curve import draw_learning_curve
from tests.run_store.report.example_histories import history_of, legend_of


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
    path.unlink()
    draw_comparison({"a": history}, ["mean_accuracy"], path, smoothing=3)
    assert path.read_bytes().startswith(b"\x89PNG")
