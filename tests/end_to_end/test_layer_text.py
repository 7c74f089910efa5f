"""Trainers of language models: events, history, stopping, tables, and resuming."""

import csv
import json
from unittest.mock import patch

import pytest

from nip.errors import ParameterError, UnknownNameError
from nip.run import run_experiment
from nip.run_store import read_history
from nip.trainers.callbacks import Callback
from nip.trainers.core.components import TrainerComponents
from tests.text_experiments import make_text_params, text_settings

EVENTS = [name for name in vars(Callback) if name.startswith("on_")]

PATIENT = {"name": "early_stopping", "patience": 2, "min_delta": 10.0}
"""Only the first value is an improvement, so that training stops after the third."""


@pytest.fixture(autouse=True)
def no_pictures():
    """Skip drawing learning curves, which other tests check."""
    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        yield


def run(runs_dir, *callbacks, num_iterations=2, **changes):
    """Run the small experiment with callbacks; return the result."""
    params = make_text_params(rl={"num_iterations": num_iterations}, **changes)
    settings = text_settings(runs_dir)
    parts = TrainerComponents(callbacks=callbacks)
    return run_experiment(params, run_id="run", settings=settings, components=parts)


class Counting(Callback):
    """Counts its events in its state, and may interrupt at one event of one stage."""

    def __init__(self, told=None, interrupts_at=None, error=None):
        self.counts = {}
        self.told = [] if told is None else told
        self.interrupts_at, self.error = interrupts_at, error

    def take(self, event, context):
        self.counts[event] = self.counts.get(event, 0) + 1
        context.state[event] = context.state.get(event, 0) + 1
        stage = f" {context.stage}" if "stage" in event else ""
        self.told.append(f"{event}{stage}")
        if self.interrupts_at == (context.iteration, self.told[-1]):
            raise self.error

    def state_dict(self):
        return {"counts": dict(self.counts)}

    def load_state_dict(self, state):
        self.counts = dict(state["counts"])


for _event in EVENTS:
    _name = _event.removeprefix("on_")
    setattr(Counting, _event, lambda self, context, name=_name: self.take(name, context))


def stage(name, *inside, logs=False):
    return [
        f"stage_start {name}",
        *inside,
        f"stage_end {name}",
        *(["log"] if logs else []),
    ]


PLAY = [
    "iteration_start",
    *stage("sample_rollouts"),
    "checkpoint",
    *stage("log_stats", logs=True),
    "checkpoint",
    *stage("test_during_training", "evaluation_start", "evaluation_end", logs=True),
]
# Prover and verifier have a model each.
JOBS = ["step_start", "step_start", "step_end", "step_end"]
FIRST = [
    *PLAY,
    "checkpoint",
    *stage("create_fine_tune_jobs", *JOBS),
    "checkpoint",
    *stage("await_fine_tune_jobs"),
    "iteration_end",
    "checkpoint",
]
LAST = [*PLAY, "iteration_end", "checkpoint"]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Run once without any interruption: folder, what a callback was told, and its counts."""
    folder, counting = tmp_path_factory.mktemp("straight"), Counting()
    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        result = run(folder, counting, callbacks=["csv"])
    return result.folder, counting


def test_callbacks_are_told_exactly_this(straight):
    _, counting = straight
    assert counting.told == ["train_start", *FIRST, *LAST, "train_end"]


def test_the_table_and_the_history_hold_the_same(straight):
    folder, _ = straight
    history = read_history(folder)
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["iteration"] for row in rows] == ["1", "2"]
    names = [name for name in rows[0] if name != "iteration"]
    assert names == history.names()
    for name in names:
        values = [(int(row["iteration"]), float(row[name])) for row in rows if row[name]]
        assert values == history.values(name)
    assert history.latest("test_mean_accuracy") == history.values("test_mean_accuracy")[1][1]
    with pytest.raises(UnknownNameError, match="test_mean_accuracy"):
        history.latest("test_mean_acuracy")
    assert names == history.names()


@pytest.mark.parametrize(
    "moment",
    [
        (0, "step_end"),
        (0, "iteration_end"),
        (1, "stage_end sample_rollouts"),
        (1, "log"),
    ],
)
def test_states_and_tables_of_an_interrupted_run_are_those_of_one_that_was_not(
    moment, straight, tmp_path
):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Counting(interrupts_at=moment, error=KeyboardInterrupt()), callbacks=["csv"])
    counting = Counting()
    result = run(tmp_path, counting, callbacks=["csv"])
    folder, expected = straight
    inner = [name for name in expected.counts if not name.startswith(("train", "checkpoint"))]
    assert {name: counting.counts[name] for name in inner} == {
        name: expected.counts[name] for name in inner
    }
    assert (result.folder / "metrics.csv").read_bytes() == (folder / "metrics.csv").read_bytes()
    assert read_history(result.folder).to_dict() == read_history(folder).to_dict()


def test_an_exception_passes_unchanged_and_the_end_is_told(tmp_path):
    error, other = ZeroDivisionError("mine"), Counting()
    fails = Counting(interrupts_at=(0, "evaluation_end"), error=error)
    with pytest.raises(ZeroDivisionError) as raised:
        run(tmp_path, fails, other)
    assert raised.value is error
    assert other.told[-1] == fails.told[-1] == "train_end"
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("interrupts_at", [None, (1, "step_end"), (2, "stage_end log_stats")])
def test_it_stops_after_the_third_value_and_pays_for_no_further_job(interrupts_at, tmp_path):
    changes = {"num_iterations": 5, "callbacks": [PATIENT]}
    if interrupts_at is not None:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, Counting(None, interrupts_at, KeyboardInterrupt()), **changes)
    counting = Counting()
    result = run(tmp_path, counting, **changes)
    history = read_history(result.folder)
    assert [iteration for iteration, _ in history.values("test_mean_accuracy")] == [1, 2, 3]
    assert counting.counts["step_end"] == 2 * 2
    assert counting.counts["iteration_end"] == 3
    written = json.loads((result.folder / "result.json").read_text())
    assert written["status"] == "completed"
    assert "is the last of 2 values (patience)" in written["stopped"]
    assert result.best_checkpoint is None


def test_a_callback_may_stop_and_what_it_says_is_kept(tmp_path):
    class Enough(Callback):
        def on_iteration_end(self, context):
            context.stop("enough is known")

    result = run(tmp_path, Enough(), num_iterations=4)
    assert read_history(result.folder).last_iteration == 1
    assert json.loads((result.folder / "result.json").read_text())["stopped"] == "enough is known"


@pytest.mark.filterwarnings("ignore:callbacks:nip.errors.NipWarning")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"callbacks": [{**PATIENT, "monitor": "test_mean_acuracy"}]}, "'test_mean_accuracy'"),
        ({"callbacks": [PATIENT], "text_rl": {"test_scheme": "none"}}, "test_scheme=all"),
        ({"callbacks": ["rollout_samples"]}, "language models"),
        (
            {"callbacks": [{"name": "average_agent_weights", "agents": ["prover", "verifier"]}]},
            "needs agents that are networks",
        ),
    ],
)
def test_what_has_no_meaning_for_language_models_is_refused(changes, message, tmp_path):
    with pytest.raises((ParameterError, UnknownNameError), match=message):
        run(tmp_path / "runs", **changes)
    assert not (tmp_path / "runs").exists()


def test_parts_of_networks_cannot_be_exchanged(tmp_path):
    parts = TrainerComponents(loss_terms=[(1.0, lambda batch, context: 0.0)])
    with pytest.raises(ParameterError, match="can exchange: callbacks"):
        run_experiment(
            make_text_params(), settings=text_settings(tmp_path / "runs"), components=parts
        )
    assert not (tmp_path / "runs").exists()
