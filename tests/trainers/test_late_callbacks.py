"""Callbacks that are added while training goes on."""

import csv
from contextlib import nullcontext

import pytest

from nip.errors import NipWarning, ParameterError, UnknownNameError
from nip.run_store import Run
from nip.trainers.callbacks import Callback
from nip.trainers.callbacks.csv import Csv
from nip.trainers.callbacks.early_stopping import EarlyStopping
from nip.trainers.callbacks.rollout_samples import RolloutSamples
from nip.trainers.registry import build_trainer
from tests.experiments import make_instance, make_params, make_settings, make_trainer


@pytest.fixture
def open_trainer(tmp_path):
    """Return a function that begins, or goes on with, one and the same run."""
    params, settings = make_params(rl={"num_iterations": 4}), make_settings(tmp_path)

    def begin(run):
        trainer = build_trainer(params, make_instance(params), settings, run)
        trainer.setup()
        return trainer

    return lambda: Run.open(settings, "run", params.to_dict()), begin


def test_they_write_as_if_they_had_been_there_from_the_start(open_trainer):
    open_run, begin = open_trainer
    with open_run() as run:
        trainer = begin(run)
        trainer.train_iteration()
        trainer.add_callback(Csv())
        trainer.add_callback(RolloutSamples(every=2))
        trainer.train_iteration()
        trainer.close()
        with (run.folder / "metrics.csv").open() as file:
            assert [row["iteration"] for row in csv.DictReader(file)] == ["1", "2"]
        assert [path.name for path in (run.folder / "rollouts").iterdir()] == [
            "iteration_000002.yaml"
        ]


class Counting(Callback):
    """Counts iterations."""

    count = 0

    def on_iteration_end(self, context):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


def test_they_get_their_state_back(open_trainer):
    open_run, begin = open_trainer
    counts = []
    for heard in (nullcontext(), pytest.warns(NipWarning, match="state of Counting-1, but no")):
        with open_run() as run:
            with heard:
                trainer = begin(run)
            counting = Counting()
            trainer.train_iteration()
            trainer.add_callback(counting)
            trainer.train_iteration()
            trainer.close()
            counts.append(counting.count)
    # The third iteration, in which it was not there, is saved with its state all the same.
    assert counts == [1, 2]


@pytest.mark.parametrize(
    ("callback", "error", "message"),
    [
        (EarlyStopping(monitor="mean_acuracy"), UnknownNameError, "Did you mean 'mean_accuracy'"),
        (EarlyStopping(), ParameterError, "eval_every=1"),
    ],
)
def test_they_are_checked_like_the_others(callback, error, message):
    trainer = make_trainer(make_params())
    trainer.setup()
    with pytest.raises(error, match=message):
        trainer.add_callback(callback)
    trainer.close()
