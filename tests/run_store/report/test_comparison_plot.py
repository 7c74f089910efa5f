"""Plots that compare runs."""

import pytest

from nip.errors import UnknownNameError
from nip.run_store.report.comparison_plot import ReferenceLine, draw_comparison
from nip.run_store.report.plot_style import COLOURS
from tests.run_store.report.example_histories import history_of, legend_of


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
    assert legend_of(axes) == ["first", "second", "final value on the test split"]
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
