"""Which checkpoint is kept as the best when values are odd and runs interrupted."""

import math

import pytest

from nip.errors import ParameterError
from nip.trainers.callbacks.best_checkpoint import BestCheckpoint
from tests.trainers.callbacks.scripted_training import ScriptedTraining


def test_an_equal_value_keeps_the_earlier_checkpoint():
    training = ScriptedTraining(BestCheckpoint(monitor="x"))
    training.iterate({"x": 0.5})
    training.context.wants_checkpoint = False
    training.iterate({"x": 0.5})
    assert training.context.best == (1, "x", 0.5)
    assert not training.context.wants_checkpoint


def test_what_is_no_finite_number_is_never_the_best():
    training = ScriptedTraining(BestCheckpoint(monitor="x"))
    for value in (math.nan, math.inf):
        training.iterate({"x": value})
    assert (training.context.best, training.context.wants_checkpoint) == (None, False)
    training.iterate({"x": -1.0})
    assert training.context.best == (3, "x", -1.0)


def test_a_resumed_run_marks_nothing_worse_than_before():
    first = ScriptedTraining(BestCheckpoint(monitor="x"))
    first.iterate({"x": 0.9})
    resumed = BestCheckpoint(monitor="x")
    resumed.load_state_dict(first.callback.state_dict())
    second = ScriptedTraining(resumed, done=1)
    second.iterate({"x": 0.8})
    assert not second.context.wants_checkpoint
    second.iterate({"x": 0.95})
    assert second.context.best == (3, "x", 0.95)


def test_language_models_have_none():
    callback = BestCheckpoint(monitor="x")
    with pytest.raises(ParameterError, match=r"^BestCheckpoint: best_checkpoint keeps weights of"):
        ScriptedTraining(callback, data="text")


def test_a_misspelt_option_is_refused():
    with pytest.raises(ParameterError, match=r"'BestCheckpointParameters\.min_delat'.*min_delta"):
        BestCheckpoint(monitor="x", min_delat=0.1)
