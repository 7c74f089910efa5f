"""Events of callbacks, history and early stopping in whole runs."""

import json
from unittest.mock import patch

import pytest

from nip.errors import UnknownNameError
from nip.run import run_experiment
from nip.run_store import read_history
from nip.trainers.callbacks import Callback
from nip.trainers.core.components import TrainerComponents
from tests.end_to_end.layer_runs import TRAINERS, ScriptedMetric, params_for, train, weights
from tests.experiments import (
    make_settings,
    make_trainer,
    same_tensors,
    tiny_graph_agent,
)

EVENTS = [name for name in vars(Callback) if name.startswith("on_")]

each_trainer = pytest.mark.parametrize("trainer", TRAINERS)


@pytest.fixture(autouse=True)
def no_pictures():
    """Skip drawing learning curves, which other tests check."""
    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        yield


class Recorder(Callback):
    """Records its events, and may fail at one of them."""

    def __init__(self, told, name="", fails_at=None, error=None):
        self.told, self.name, self.fails_at, self.error = told, name, fails_at, error


def _record(event):
    def record(self, context):
        stage = f" {context.stage}" if "stage" in event else ""
        self.told.append(f"{self.name}{event.removeprefix('on_')}{stage}")
        if event == self.fails_at:
            raise self.error

    return record


for _event in EVENTS:
    setattr(Recorder, _event, _record(_event))


def run(tmp_path, params, *callbacks, **components):
    """Run with parts exchanged, and save every iteration; return the result."""
    parts = TrainerComponents(callbacks=callbacks, **components)
    settings = make_settings(tmp_path)
    return run_experiment(params, run_id="run", settings=settings, components=parts)


# ---- 3: events


def stage(name, *inside):
    return [f"stage_start {name}", *inside, f"stage_end {name}"]


STEPS = ["step_start", "step_end"] * 2
TEST = stage("test", "evaluation_start", "evaluation_end")


def events_of_iteration(trainer, *, is_evaluated):
    """Spell out an iteration of two minibatches."""
    learn = stage("sample") + stage("update", *STEPS)
    return [
        "iteration_start",
        *(stage("train", *STEPS) if trainer == "solo_agent" else learn),
        *(TEST if is_evaluated else []),
        "log",
        "iteration_end",
        "checkpoint",
    ]


@each_trainer
def test_two_callbacks_of_one_class_are_told_exactly_this_in_turn(trainer, tmp_path):
    params, told = params_for(trainer, num_iterations=3, eval_every=2), []
    run(tmp_path, params, Recorder(told, "a "), Recorder(told, "b "))
    expected = ["train_start"]
    for number in (1, 2, 3):
        expected += events_of_iteration(trainer, is_evaluated=number == 2)
    expected += [*TEST, "log", "train_end"]
    assert told == [f"{name} {event}" for event in expected for name in "ab"]
    counts = {name: told.count(f"a {name}") for name in ("step_start", "step_end", "log")}
    assert counts == {"step_start": 6, "step_end": 6, "log": 4}
    assert told.count("a evaluation_end") == 2


@each_trainer
def test_a_callback_that_is_added_late_is_told_of_what_follows(trainer):
    early, late = [], []
    built = make_trainer(params_for(trainer))
    built.add_callback(Recorder(early))
    built.setup()
    built.train_iteration()
    built.add_callback(Recorder(late))
    built.train_iteration()
    built.evaluate()
    assert built.is_done
    built.close()
    one = [e for e in events_of_iteration(trainer, is_evaluated=False) if e != "checkpoint"]
    end = ["evaluation_start", "evaluation_end", "train_end"]
    assert early == ["train_start", *one, *one, *end]
    assert late == ["train_start", *one, *end]


@pytest.mark.parametrize(
    "event",
    [
        "train_start",
        "step_end",
        "evaluation_end",
        "log",
        "iteration_end",
        "checkpoint",
        "train_end",
    ],
)
def test_an_exception_passes_unchanged_and_the_end_is_told_to_all(event, tmp_path):
    error, told = ZeroDivisionError("mine"), []
    fails = Recorder([], fails_at=f"on_{event}", error=error)
    with pytest.raises(ZeroDivisionError) as raised:
        run(tmp_path, params_for("reinforce"), fails, Recorder(told))
    assert raised.value is error
    assert told.count("train_end") == 1
    assert told[-1] == "train_end"
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "failed"
    assert result["error"] == "ZeroDivisionError: mine"


# ---- 4: history


@each_trainer
def test_the_history_knows_names_values_and_the_latest(trainer, tmp_path):
    built = train(params_for(trainer, num_iterations=3, eval_every=2))
    history = built.history
    assert history is built.context.history
    metric = "prover.accuracy" if trainer == "solo_agent" else "mean_accuracy"
    assert history.names() == sorted(history.names())
    assert {metric, f"test_{metric}", "grad_norm"} <= set(history.names())
    assert [iteration for iteration, _ in history.values(metric)] == [1, 2, 3]
    assert [iteration for iteration, _ in history.values(f"test_{metric}")] == [2, 3]
    assert history.latest(metric) == history.values(metric)[-1][1]
    before = history.to_dict()
    for ask in (history.latest, history.values):
        with pytest.raises(UnknownNameError, match=f"'{metric}x'.*{metric}"):
            ask(f"{metric}x")
    assert history.to_dict() == before
    history.update(4, {metric: 0.25, "own": 1})
    assert (history.latest(metric), history.latest("own")) == (0.25, 1.0)
    built.save_model(tmp_path / "model")
    fresh = make_trainer(params_for(trainer, seed=4))
    fresh.load_model(tmp_path / "model")
    assert fresh.history.to_dict() == history.to_dict()
    assert fresh.context.history.latest("own") == 1.0
    with pytest.raises(UnknownNameError):
        fresh.history.latest("never")
    history.reset()
    assert history.names() == []
    assert history.last_iteration is None
    assert fresh.history.latest("own") == 1.0


# ---- 5: evaluation


def graphs():
    """Return what makes networks random that compare graphs."""
    agent = tiny_graph_agent(transformer_dropout=0.2, noise_sigma=0.1)
    return {
        "scenario": "graph_isomorphism",
        "protocol": "nip",
        "dataset": "tiny",
        "agents": {"_default": agent},
    }


@pytest.mark.parametrize(
    ("trainer", "changes"), [("reinforce", {"protocol": "nip"}), ("solo_agent", graphs())]
)
def test_evaluating_more_often_changes_no_number_of_training(trainer, changes, data_dir):
    """Sampling, batch norm and dropout would all show that an evaluation took place."""
    trained, counts = {}, {}
    for period in (None, 1, 2):
        told = []
        params = params_for(trainer, num_iterations=4, eval_every=period, **changes)
        trained[period] = make_trainer(params, data_dir)
        trained[period].add_callback(Recorder(told))
        trained[period].train()
        counts[period] = told.count("evaluation_start")
    assert counts == {None: 1, 1: 4, 2: 2}
    histories = {period: built.history.to_dict() for period, built in trained.items()}
    tested = [name for name in histories[2] if name.startswith("test_")]
    for name in tested:
        assert [iteration for iteration, _ in histories[2][name]] == [2, 4]
        assert histories[2][name] == histories[1][name][1::2]
        assert histories[None][name] == histories[2][name][-1:]
    for period in (1, 2):
        assert same_tensors(weights(trained[None]), weights(trained[period]))
        training = {n: v for n, v in histories[period].items() if n not in tested}
        assert training == {n: v for n, v in histories[None].items() if n not in tested}


# ---- 8: early stopping

STOP_AT_3 = {
    "name": "early_stopping",
    "monitor": "test_mean_accuracy",
    "mode": "min",
    "patience": 2,
}


@each_trainer
def test_a_metric_of_1_2_2_stops_after_the_third_and_the_first_is_the_best(trainer, tmp_path):
    params = params_for(trainer, num_iterations=6, eval_every=1, callbacks=[STOP_AT_3])
    told = []
    result = run(tmp_path, params, Recorder(told), evaluate=ScriptedMetric(1.0, 2.0, 2.0, 0.0))
    assert told.count("iteration_end") == 3
    history = read_history(result.folder)
    assert history.values("test_mean_accuracy") == [(1, 1.0), (2, 2.0), (3, 2.0)]
    assert result.best_checkpoint == result.folder / "checkpoints" / "iteration_000001"
    assert result.best_checkpoint.is_dir()
    written = json.loads((result.folder / "result.json").read_text())
    assert written["status"] == "completed"
    assert "test_mean_accuracy=2 is the last of 2 values" in written["stopped"]
    # Nothing is left to do, so that it is not tested once more either.
    assert told.count("evaluation_end") == 3


def test_a_metric_of_ones_own_evaluation_can_be_watched():
    params = params_for(
        "reinforce",
        num_iterations=4,
        eval_every=1,
        callbacks=[{**STOP_AT_3, "monitor": "test_score", "patience": 1}],
    )
    trained = train(params, evaluate=lambda trainer, split: {"score": 3.0})
    assert trained.history.values("test_score") == [(1, 3.0), (2, 3.0)]
