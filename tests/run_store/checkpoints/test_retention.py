"""Retention of checkpoints: the newest, every n-th, and the best."""

import json
import os

import pytest
import torch

from nip.errors import CheckpointError, NipError
from nip.experiment_settings import ExperimentSettings
from nip.run_store import Checkpoint, Run
from tests.run_store.kill import run_until_killed

ACCURACIES = {1: 0.5, 2: 0.6, 3: 0.9, 4: 0.7}
"""The best of twelve iterations is the third; the others have 0.1."""


def checkpoint(iteration):
    return Checkpoint(iteration, {"agent": {"weight": torch.full((2,), float(iteration))}}, {})


def open_run(tmp_path, **settings):
    return Run.open(ExperimentSettings(runs_dir=tmp_path, **settings), "r", {"seed": 1})


def kept_iterations(run):
    names = sorted(os.listdir(run.folder / "checkpoints"))
    return [int(name.removeprefix("iteration_")) for name in names if name != "best.json"]


def train(run, iterations):
    """Save, mark and prune as a trainer does."""
    best = -1.0
    for iteration in iterations:
        run.save_checkpoint(checkpoint(iteration))
        if ACCURACIES.get(iteration, 0.1) > best:
            best = ACCURACIES.get(iteration, 0.1)
            run.mark_best(iteration, "test_mean_accuracy", best)
        run.prune_checkpoints()


def test_the_newest_the_permanent_and_the_best_are_left(tmp_path):
    with open_run(tmp_path, max_checkpoints=2, permanent_every=5) as run:
        train(run, range(1, 13))
        assert kept_iterations(run) == [3, 5, 10, 11, 12]
        assert run.load_checkpoint().iteration == 12
        assert run.load_checkpoint("latest").iteration == 12
        assert run.load_latest_checkpoint().iteration == 12
        assert run.load_checkpoint("best").iteration == 3
        assert run.load_checkpoint(5).iteration == run.load_checkpoint("5").iteration == 5
        assert run.best_checkpoint == run.folder / "checkpoints" / "iteration_000003"
        assert json.loads((run.folder / "checkpoints" / "best.json").read_text()) == {
            "iteration": 3,
            "metric": "test_mean_accuracy",
            "value": 0.9,
        }


def test_the_latest_is_by_number_after_nine_and_ten(tmp_path):
    with open_run(tmp_path, max_checkpoints=3) as run:
        for iteration in (8, 9, 10):
            run.save_checkpoint(checkpoint(iteration))
            run.prune_checkpoints()
        assert run.load_checkpoint("latest").iteration == 10


def test_a_better_checkpoint_frees_the_one_that_was_the_best(tmp_path):
    with open_run(tmp_path, max_checkpoints=1) as run:
        train(run, (1, 2, 3, 4))
        assert kept_iterations(run) == [3, 4]
        run.save_checkpoint(checkpoint(5))
        run.mark_best(5, "test_mean_accuracy", 1.0)
        run.prune_checkpoints()
        assert kept_iterations(run) == [5]


def test_iterations_can_be_protected_for_another_reason(tmp_path):
    with open_run(tmp_path) as run:
        for iteration in range(1, 6):
            run.save_checkpoint(checkpoint(iteration))
        run.prune_checkpoints(keep_last=1, permanent_every=4, protected=[2])
        assert kept_iterations(run) == [2, 4, 5]


def test_without_a_mark_there_is_no_best(tmp_path):
    with open_run(tmp_path) as run:
        run.mark_best(1, "loss", 0.5)  # a run of language models has no checkpoints
        assert run.best_checkpoint is None
        with pytest.raises(CheckpointError, match="No checkpoint was saved yet"):
            run.load_checkpoint()
        run.save_checkpoint(checkpoint(1))
        assert run.best_checkpoint is None
        with pytest.raises(FileNotFoundError, match=r"no checkpoint 'best' .*There are latest, 1"):
            run.load_checkpoint("best")
        with pytest.raises(NipError, match=r"no checkpoint '1.5'"):
            run.load_checkpoint("1.5")


def test_a_mark_whose_checkpoint_is_gone_counts_as_none(tmp_path):
    with open_run(tmp_path) as run:
        train(run, (1, 2))
        run.best_checkpoint.rename(run.folder / "elsewhere")
        assert run.best_checkpoint is None


def test_a_damaged_checkpoint_is_told_and_left_where_it_is(tmp_path):
    with open_run(tmp_path) as run:
        train(run, (1, 2))
        os.truncate(run.best_checkpoint / "agent.safetensors", 10)
        with pytest.raises(CheckpointError, match=r"iteration_000002 is damaged.*another one"):
            run.load_checkpoint("best")
        assert kept_iterations(run) == [1, 2]


MARKED_ONE = """
run = open_run()
run.save_checkpoint(checkpoint(1))
run.mark_best(1, "accuracy", 0.5)
run.save_checkpoint(checkpoint(2))
"""
KILLS = {
    "between_saving_and_marking": "",
    "in_marking": 'os.replace = die\nrun.mark_best(2, "accuracy", 0.75)',
    "between_marking_and_pruning": 'run.mark_best(2, "accuracy", 0.75)',
    "in_pruning": """
run.mark_best(2, "accuracy", 0.75)
import shutil
shutil.rmtree = die
run.prune_checkpoints(keep_last=1)
""",
}


def test_a_kill_around_the_marking_loses_neither_the_old_best_nor_the_new(tmp_path):
    run_until_killed(
        tmp_path, {name: f"{MARKED_ONE}{piece}\ndie()" for name, piece in KILLS.items()}
    )
    for moment in KILLS:
        with open_run(tmp_path / moment) as run:
            is_marked = moment in ("between_marking_and_pruning", "in_pruning")
            assert run.load_checkpoint("best").iteration == (2 if is_marked else 1)
            assert run.load_latest_checkpoint().iteration == 2
            run.mark_best(2, "accuracy", 0.75)  # as the trainer does when it goes on
            run.prune_checkpoints(keep_last=1)
            assert kept_iterations(run) == [2]
            assert run.load_checkpoint("best").iteration == 2
