"""The summary of a run in the terminal."""

import io

import pytest
from rich.console import Console

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run
from nip.run_store.report.terminal_summary import print_summary


@pytest.fixture
def run(tmp_path):
    with Run.open(ExperimentSettings(runs_dir=tmp_path), "my_run", {}) as run:
        yield run


def summary_of(run, width=200):
    console = Console(file=io.StringIO(), width=width)
    print_summary(run, console)
    return console.file.getvalue()


def test_training_and_test_values_stand_side_by_side(run):
    run.log(1, {"mean_accuracy": 0.5, "obscure": 3.0})
    run.log(2, {"mean_accuracy": 0.98765, "test_mean_accuracy": 0.875})
    run.finish("completed")
    text = summary_of(run)
    assert "my_run" in text
    (row,) = [line for line in text.splitlines() if "mean_accuracy" in line]
    assert "0.9877" in row
    assert "0.875" in row
    assert "obscure" not in text


def test_it_says_where_to_look_and_names_only_what_is_there(run):
    run.log(1, {"mean_accuracy": 0.5})
    assert "learning_curve.png" not in summary_of(run)
    run.finish("completed")
    text = summary_of(run)
    assert str(run.folder) in text
    for name in ("learning_curve.png", "result.json", "run.db"):
        assert name in text
    assert "checkpoints" not in text


def test_a_damaged_result_is_left_out(run):
    run.log(1, {"mean_accuracy": 0.5})
    run.finish("completed")
    for text in ("", "{", "[1]", "null"):
        (run.folder / "result.json").write_text(text)
        assert "mean_accuracy" in summary_of(run)


def test_a_run_without_metrics_has_no_table(run):
    assert "training" not in summary_of(run)


def test_a_narrow_terminal_cuts_no_path(run):
    assert str(run.folder) in summary_of(run, width=40)


def test_it_says_why_training_was_stopped_early(run):
    run.finish("completed")
    assert "Stopped early" not in summary_of(run)
    run.set_state("stop_reason", "loss=0.1 has reached threshold=0.1")
    run.finish("completed")
    assert "Stopped early: loss=0.1 has reached threshold=0.1" in summary_of(run)
