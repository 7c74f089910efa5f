"""The record of the best checkpoint."""

import json

from nip.run_store.checkpoints.checkpoint import (
    BestCheckpoint,
    checkpoint_path,
    read_best,
    write_best,
)


def test_the_best_checkpoint_is_recorded_with_its_metric(tmp_path):
    best = BestCheckpoint(12, "test_mean_accuracy", 0.875)
    checkpoint_path(tmp_path, 12).mkdir()
    write_best(tmp_path, best)
    assert read_best(tmp_path) == best
    assert json.loads((tmp_path / "best.json").read_text()) == {
        "iteration": 12,
        "metric": "test_mean_accuracy",
        "value": 0.875,
    }


def test_there_is_no_best_checkpoint_without_a_record_or_without_its_folder(tmp_path):
    assert read_best(tmp_path) is None
    write_best(tmp_path, BestCheckpoint(3, "loss", 0.5))
    assert read_best(tmp_path) is None


def test_folders_sort_by_iteration(tmp_path):
    names = [checkpoint_path(tmp_path, iteration).name for iteration in (9, 10)]
    assert names == sorted(names) == ["iteration_000009", "iteration_000010"]
