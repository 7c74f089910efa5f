"""Names of metrics, and the rollouts that a trainer learns from."""

from types import SimpleNamespace

import numpy as np
import pytest

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.protocols.registry import build_protocol_handler
from nip.trainers.text.rollout_trainer import TextRolloutTrainer
from nip.trainers.text.state import TextTrainerState
from nip.utils.nested_array_dict import NestedArrayDict
from tests.text_experiments import make_text_params
from tests.trainers.rollout_tables import make_rollouts


class RecordingTrainer(TextRolloutTrainer):
    """Returns tables instead of sampled rollouts, and records what was requested."""

    def train(self) -> None:
        raise NotImplementedError

    def _sample_rollouts(self, phase, iteration, requests):
        self.sampled.append((phase, iteration, [each.datapoint for each in requests]))
        size = len(requests)
        return NestedArrayDict({"iteration": np.full(size, iteration)}, batch_size=(size,))


class OwnMetrics(RecordingTrainer):
    """Logs a metric of its own."""

    def _get_log_stats(self, rollouts, *, train=True):
        return {"own": 1.0}


def build(cls=RecordingTrainer, params: HyperParameters | None = None, iteration: int = 0):
    params = params or make_text_params()
    instance = SimpleNamespace(
        protocol_handler=build_protocol_handler(params),
        scenario=None,
        agents={
            name: SimpleNamespace(params=params.agents[name]) for name in ("prover", "verifier")
        },
        shared_model_groups={},
        train_dataset=range(5),
        test_dataset=range(3),
    )
    trainer = cls(params, instance, ExperimentSettings(progress=False))
    trainer.sampled = []
    trainer.state = TextTrainerState(models=({},) * (iteration + 1))
    trainer._stored = SimpleNamespace(
        dataset=lambda phase: instance.train_dataset if phase == "train" else instance.test_dataset
    )
    return trainer


def test_metrics_of_tests_have_a_prefix() -> None:
    rollouts = make_rollouts(verdict=[1, 0, 2])
    trainer = build()
    train, test = (trainer._get_log_stats(rollouts, train=each) for each in (True, False))
    assert {f"test_{name}" for name in train} == set(test)
    assert test["test_mean_accuracy"] == train["mean_accuracy"] == pytest.approx(1 / 3)
    assert {*train, *test} <= trainer.metric_names()


def test_metric_names_of_a_subclass_are_those_it_logged() -> None:
    trainer = build(OwnMetrics)
    assert trainer.metric_names() is None
    assert trainer.metric_names(["own"]) == {"own", "test_own"}


def test_training_rollouts_are_sampled_once_per_iteration() -> None:
    trainer = build()
    assert trainer._training_rollouts() is trainer._training_rollouts()
    ((phase, iteration, rows),) = trainer.sampled
    # Twelve rollouts of five datapoints: two whole passes, and two of the third.
    assert (phase, iteration) == ("train", 0)
    assert sorted(rows[:5]) == sorted(rows[5:10]) == list(range(5)) and len(rows) == 12


@pytest.mark.parametrize(("uses_all", "iterations"), [(False, [2]), (True, [0, 1, 2])])
def test_earlier_rollouts_come_first_where_they_are_used(uses_all, iterations) -> None:
    params = make_text_params(text_rl={"fine_tune_on_all_previous_rollouts": uses_all})
    trainer = build(params=params, iteration=2)
    rollouts = trainer._rollouts_to_learn_from()
    assert rollouts["iteration"].tolist() == [each for each in iterations for _ in range(12)]


def test_each_agent_learns_from_its_own_window_of_iterations() -> None:
    windows = {"prover": {"rollout_window": 2}, "verifier": {"rollout_window": 9}}
    trainer = build(params=make_text_params(agents=windows, every_agent={}), iteration=3)
    rollouts = trainer._rollouts_to_learn_from()
    assert sorted(set(rollouts["iteration"].tolist())) == [0, 1, 2, 3]
    for agent, iterations in (("prover", [2, 3]), ("verifier", [0, 1, 2, 3])):
        found = trainer._within_window(rollouts, agent)["iteration"].tolist()
        assert found == [each for each in iterations for _ in range(12)]


def test_the_number_of_rollouts_includes_tests() -> None:
    # Two iterations of twelve, each with a test on all three datapoints.
    assert build().num_rollouts == 2 * 12 + 2 * 3
