"""Plots that compare runs."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import UnknownNameError
from nip.run_store.report.comparison_plot import ReferenceLine, draw_comparison, spread_apart
from nip.run_store.report.plot_style import COLOURS
from tests.run_store.report.example_histories import history_of, legend_of


def test_a_comparison_shows_each_run_its_test_value_and_labelled_lines(figures, tmp_path):
    first, second = history_of(mean_accuracy=[0.5, 0.9]), history_of(mean_accuracy=[0.5, 0.6])
    first.update(2, {"test_mean_accuracy": 0.8125})
    draw_comparison(
        {"first": first, "second": second},
        ["mean_accuracy"],
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
    draw_comparison({"r": history}, ["mean_accuracy"], tmp_path / "c.png", smoothing=3)
    original, mean = figures[0].axes[0].lines[:2]
    assert original.get_ydata().tolist() == [0.0, 0.3, 0.6, 0.0]
    assert mean.get_ydata() == pytest.approx([0.0, 0.3, 0.3, 0.0])


def test_a_metric_that_a_run_lacks_is_an_error_with_a_suggestion(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'mean_accuracy'"):
        draw_comparison({"r": history_of(mean_accuracy=[1])}, ["mean_acuracy"], tmp_path / "c.png")


@pytest.mark.parametrize("num_runs", [2, 14, 60])
def test_labels_at_the_ends_of_curves_do_not_overlap(figures, tmp_path, num_runs):
    histories = {}
    for run in range(num_runs):
        histories[f"run {run}"] = history_of(mean_accuracy=[0.5, 0.9])
        histories[f"run {run}"].update(2, {"test_mean_accuracy": 0.9 + 0.0001 * run})
    draw_comparison(histories, ["mean_accuracy"], str(tmp_path / "c.png"))
    (axes,) = figures[0].axes
    labels = sorted(axes.texts, key=lambda label: label.get_window_extent().y0)
    assert len(labels) == num_runs
    assert [float(label.get_text()) for label in labels] == sorted(
        float(label.get_text()) for label in labels
    )
    boxes = [label.get_window_extent() for label in labels]
    assert all(below.y1 <= above.y0 for below, above in itertools.pairwise(boxes))


def test_heights_are_moved_as_little_as_possible():
    assert spread_apart([0.2, 0.5, 0.9], 0.1) == pytest.approx([0.2, 0.5, 0.9])
    assert spread_apart([0.5, 0.5, 0.5, 0.9], 0.1) == pytest.approx([0.4, 0.5, 0.6, 0.9])
    assert spread_apart([0.98, 1.0], 0.1) == pytest.approx([0.9, 1.0])
    assert spread_apart([0.0, 0.0], 0.25) == pytest.approx([0.0, 0.25])
    assert spread_apart([], 0.1) == []


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.08))
def test_spread_heights_keep_their_order_distance_and_range(heights, distance):
    spread = spread_apart(sorted(heights), distance)
    assert len(spread) == len(heights)
    assert all(0 <= height <= 1 + 1e-9 for height in spread)
    assert all(second - first >= distance - 1e-9 for first, second in itertools.pairwise(spread))


def test_several_metrics_have_a_panel_each(figures, tmp_path):
    history = history_of(mean_accuracy=[0.5, 0.6], soundness=[0.1, 0.2], completeness=[1.0, 0.9])
    metrics = ["mean_accuracy", "soundness", "completeness"]
    lines = [ReferenceLine(0.64, "ceiling")]
    draw_comparison({"r": history}, metrics, tmp_path / "c.png", lines, title="a run")
    first, second, third, empty = figures[0].axes
    drawn = [axes.lines[0].get_ydata().tolist() for axes in (first, second, third)]
    assert drawn == [[0.5, 0.6], [0.1, 0.2], [1.0, 0.9]]
    assert [axes.get_legend() is not None for axes in (first, second, third)] == [
        True,
        False,
        False,
    ]
    assert not empty.axison
    assert figures[0].get_suptitle() == "a run"
