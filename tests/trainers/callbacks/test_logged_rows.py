"""Logged metrics as rows, and the folder that callbacks write to."""

import warnings
from types import SimpleNamespace

import pytest

from nip.errors import NipWarning
from nip.run_store import RunHistory
from nip.trainers.callbacks.logged_rows import logged_rows, run_folder
from nip.trainers.core.context import TrainingContext


def test_the_metrics_of_an_iteration_are_one_row_in_the_order_of_iterations():
    history = RunHistory()
    history.update(2, {"loss": 0.5})
    history.update(10, {"loss": 0.25, "late": 7.0})
    history.update(0, {"pretraining": 3.0})
    history.update(2, {"test": 1.0})
    assert logged_rows(history) == [
        (0, {"pretraining": 3.0}),
        (2, {"loss": 0.5, "test": 1.0}),
        (10, {"loss": 0.25, "late": 7.0}),
    ]


def test_without_metrics_there_are_no_rows():
    assert logged_rows(RunHistory()) == []


def test_the_folder_is_that_of_the_run(tmp_path):
    trainer = SimpleNamespace(run=SimpleNamespace(folder=tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run_folder(TrainingContext(trainer=trainer), "mine") == tmp_path


def test_a_trainer_without_a_run_has_no_folder_and_the_callback_is_named():
    context = TrainingContext(trainer=SimpleNamespace(run=None))
    with pytest.warns(NipWarning, match="^The callback 'mine' writes nothing"):
        assert run_folder(context, "mine") is None
