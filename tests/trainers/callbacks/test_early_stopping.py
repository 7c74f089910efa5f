"""When training stops early, and which checkpoint is the best."""

import math

import pytest

from nip.errors import ParameterError, UnknownNameError
from nip.run import run_experiment
from nip.trainers.callbacks.best_checkpoint import BestCheckpoint
from nip.trainers.callbacks.early_stopping import EarlyStopping
from nip.trainers.core.components import TrainerComponents
from nip.trainers.core.monitored_metrics import check_monitored
from tests.experiments import make_params, make_settings, make_trainer
from tests.trainers.callbacks.scripted_training import ScriptedTraining, scripted_history


def stops_after(values, **options):
    """Return the number of values after which training stops, None if it goes on."""
    training = ScriptedTraining(EarlyStopping(monitor="x", **options))
    for number, value in enumerate(values, 1):
        training.iterate({"x": value})
        if training.context.stop_reason:
            return number
    return None


def test_one_two_two_stops_after_the_third_and_the_first_is_the_best():
    training = ScriptedTraining(EarlyStopping(monitor="x", mode="min", patience=2))
    training.iterate({"x": 1.0})
    assert training.context.best == (1, "x", 1.0)
    assert training.context.wants_checkpoint
    training.iterate({"x": 2.0})
    assert training.context.stop_reason is None
    training.iterate({"x": 2.0})
    assert training.context.stop_reason == (
        "x=2 is the last of 2 values (patience) that did not improve on 1, which was reached in "
        "iteration 1"
    )
    assert training.context.best == (1, "x", 1.0)


@pytest.mark.parametrize(
    ("options", "values", "expected"),
    [
        ({"patience": 1}, [1, 2, 3, 3], 4),
        ({"patience": 2}, [1, 0, 2, 1, 0], 5),
        ({"patience": 2, "min_delta": 1.0}, [1, 1.5, 2], 3),
        ({"patience": 2, "min_delta": 1.0}, [1, 1.5, 2.5], None),
        ({"threshold": 0.9}, [0.5, 0.9, 0.1], 2),
        ({"mode": "min", "threshold": 0.1}, [0.5, 0.2, 0.05], 3),
        ({"divergence": 0.3}, [0.5, 0.3, 0.29], 3),
        ({"mode": "min", "divergence": 5.0}, [1, 5, 6], 3),
        ({}, [0.5, math.nan], 2),
        ({"threshold": 0.9}, [0.5, math.inf], 2),
        ({"patience": 9}, [1, 0, 0, 0], None),
    ],
)
def test_each_reason_stops_when_it_is_there(options, values, expected):
    assert stops_after(values, **options) == expected


def test_the_reason_tells_what_was_reached():
    reasons = {"threshold": {"threshold": 0.9}, "divergence": {"mode": "min", "divergence": 0.5}}
    for word, options in reasons.items():
        training = ScriptedTraining(EarlyStopping(monitor="x", **options))
        training.iterate({"x": 0.95})
        assert word in training.context.stop_reason


def test_only_values_that_are_logged_count():
    training = ScriptedTraining(EarlyStopping(monitor="test_x", mode="min", patience=2))
    training.iterate({"y": 0.0}, {"test_x": 1.0})
    for _ in range(5):
        training.iterate({"y": 0.0})
    training.iterate({"y": 0.0}, {"test_x": 2.0})
    assert training.context.stop_reason is None
    training.iterate({"test_x": 2.0})
    assert training.context.stop_reason is not None
    assert training.context.best == (1, "test_x", 1.0)


def test_the_test_after_training_asks_for_nothing():
    training = ScriptedTraining(EarlyStopping(monitor="test_x"))
    training.iterate({"test_x": 1.0})
    training.context.wants_checkpoint = False
    training.log(1, {"test_x": 2.0})
    assert not training.context.wants_checkpoint
    assert training.context.best == (1, "test_x", 1.0)


@pytest.mark.parametrize("cut", range(1, 5))
def test_patience_is_the_same_across_an_interruption(cut):
    values = [1.0, 0.5, 2.0, 2.0, 2.0]
    first = ScriptedTraining(EarlyStopping(monitor="x", patience=2))
    for value in values[:cut]:
        first.iterate({"x": value})
    resumed = EarlyStopping(monitor="x", patience=2)
    resumed.load_state_dict(first.callback.state_dict())
    history = scripted_history(*({"x": value} for value in values[:cut]))
    second = ScriptedTraining(resumed, history=history, done=cut)
    for value in values[cut:]:
        assert second.context.stop_reason is None
        second.iterate({"x": value})
    assert second.context.stop_reason is not None


def test_a_value_counts_at_once_so_that_nothing_is_paid_for_after_it():
    training = ScriptedTraining(EarlyStopping(monitor="x", threshold=0.5))
    training.log(1, {"x": 0.5})
    assert training.context.stop_reason == "x=0.5 has reached threshold=0.5"


def test_without_save_best_no_checkpoint_is_asked_for():
    training = ScriptedTraining(EarlyStopping(monitor="x", save_best=False))
    training.iterate({"x": 1.0})
    assert (training.context.best, training.context.wants_checkpoint) == (None, False)


def test_the_best_checkpoint_is_marked_at_each_improvement():
    training = ScriptedTraining(BestCheckpoint(monitor="x", mode="min", min_delta=0.1))
    marks = []
    for value in (1.0, 0.95, 0.5, 0.7):
        training.iterate({"x": value})
        marks.append((training.context.best, training.context.wants_checkpoint))
        training.context.wants_checkpoint = False
    assert marks == [
        ((1, "x", 1.0), True),
        ((1, "x", 1.0), False),
        ((3, "x", 0.5), True),
        ((3, "x", 0.5), False),
    ]
    assert training.context.stop_reason is None


def test_a_misspelt_metric_is_known_from_the_callback_itself():
    with pytest.raises(
        UnknownNameError, match=r"EarlyStopping has monitor='mean_acuracy'.*'mean_a"
    ):
        check_monitored([EarlyStopping(monitor="mean_acuracy")], ["mean_accuracy"])


def test_a_real_run_stops_keeps_the_best_and_says_why(tmp_path):
    scores = iter([1.0, 2.0, 2.0, 0.0])
    params = make_params(
        rl={"num_iterations": 9},
        eval_every=1,
        callbacks=[
            {"name": "early_stopping", "monitor": "test_score", "mode": "min", "patience": 2}
        ],
    )
    result = run_experiment(
        params,
        run_id="demo",
        settings=make_settings(tmp_path, max_checkpoints=1),
        components=TrainerComponents(evaluate=lambda trainer, split: {"score": next(scores)}),
    )
    kept = sorted(path.name for path in (result.folder / "checkpoints").glob("iteration_*"))
    assert kept == ["iteration_000001", "iteration_000003"]
    assert result.best_checkpoint == result.folder / "checkpoints" / "iteration_000001"
    assert result.metrics["test_score"] == 2.0


def test_given_in_python_a_metric_of_evaluations_needs_them_as_well():
    trainer = make_trainer(make_params())
    trainer.use(TrainerComponents(callbacks=[EarlyStopping()]))
    message = r"EarlyStopping\.monitor='test_mean_accuracy' .*eval_every is None.*eval_every=1"
    with pytest.raises(ParameterError, match=message):
        trainer.setup()


@pytest.mark.parametrize(
    ("other", "is_refused"),
    [
        (BestCheckpoint(monitor="learning_rate"), True),
        (BestCheckpoint(monitor="mean_accuracy", mode="min"), True),
        (BestCheckpoint(monitor="mean_accuracy", min_delta=0.1), False),
        (EarlyStopping(monitor="learning_rate", save_best=False), False),
    ],
)
def test_the_best_checkpoint_is_that_of_one_metric(other, is_refused):
    trainer = make_trainer(
        make_params(callbacks=[{"name": "early_stopping", "monitor": "mean_accuracy"}])
    )
    trainer.use(TrainerComponents(callbacks=[other]))
    if not is_refused:
        trainer.check()
        return
    with pytest.raises(ParameterError, match=r"mean_accuracy.*only one can be the best.*save_best"):
        trainer.check()
