"""The collector of training batches, and the episodes of an evaluation."""

import pytest
import torch

from nip.trainers.tensor import rollout_collection
from nip.trainers.tensor.rollout_collection import play_for_evaluation, training_collector
from nip.utils.ranks import Ranks
from tests.experiments import make_instance, make_params, make_trainer

RANDOM = {"is_random": True}
PARAMS = make_params(protocol="nip", rl={"num_test_iterations": 2})


@pytest.fixture
def instance():
    instance = make_instance(PARAMS)
    instance.agents.eval()
    return instance


def questions_of(collector):
    with torch.no_grad():
        return collector.collect()["datapoint_id"]


def test_a_collector_plays_the_environments_of_the_batch_with_the_same_numbers(instance):
    first, second = (
        training_collector(make_instance(PARAMS), PARAMS, with_values=True).collect()
        for _ in range(2)
    )
    shape = instance.batch_shape
    assert first.batch_size == (shape.num_environments, shape.num_steps)
    assert torch.equal(first["agents", "decision"], second["agents", "decision"])
    assert torch.equal(first["agents", "value"], second["agents", "value"])


def test_without_values_the_critics_are_not_asked(instance):
    batch = training_collector(instance, PARAMS, with_values=False).collect()
    assert not batch["agents", "value_known"].any()


def test_each_of_two_ranks_plays_half_of_the_environments_with_seeds_of_its_own(
    instance, monkeypatch
):
    collectors = []
    for rank in (0, 1):
        monkeypatch.setattr(rollout_collection, "current_ranks", lambda rank=rank: Ranks(rank, 2))
        collectors.append(training_collector(instance, PARAMS, with_values=False))
    first, second = collectors
    assert first.environment.num_environments == instance.batch_shape.num_environments // 2
    assert not torch.equal(questions_of(first), questions_of(second))


def test_an_evaluation_is_the_same_each_time_and_leaves_training_alone(instance):
    before = instance.train_environment.data_state_dict()
    batches = []
    first, second = (
        play_for_evaluation(instance, PARAMS, "train", lambda: batches.append(None))
        for _ in range(2)
    )
    assert len(batches) == 4
    shape = instance.batch_shape
    assert first.batch_size == (shape.num_environments, 2 * shape.num_steps)
    assert torch.equal(first["datapoint_id"], second["datapoint_id"])
    assert torch.equal(first["next", "verdict"], second["next", "verdict"])
    after = instance.train_environment.data_state_dict()
    assert torch.equal(before["episode_seeds"], after["episode_seeds"])


def test_the_splits_are_played_with_other_random_numbers(instance):
    train, test = (
        play_for_evaluation(instance, PARAMS, s, lambda: None) for s in ("train", "test")
    )
    assert not torch.equal(train["seed"], test["seed"])


@pytest.mark.parametrize(
    ("num_steps", "num_batches", "expected"), [(1, 1, 4), (3, 1, 2), (4, 3, 3)]
)
def test_an_evaluation_plays_whole_episodes(num_steps, num_batches, expected):
    rl = {
        "rollouts_per_iteration": 4000,
        "steps_per_env_per_iteration": num_steps,
        "num_test_iterations": num_batches,
    }
    trainer = make_trainer(make_params(protocol="nip", agents={"_default": RANDOM}, rl=rl))
    assert trainer.num_test_batches == expected
    trainer.setup()
    with trainer.closing():
        metrics = trainer.evaluate("test")
    # The verifier is asked in the rounds 0 and 2 of 4, and continues one time in three: 2/3 of the
    # episodes have one round, 2/9 have three, and 1/9 have four. All of them are counted.
    assert metrics["test_num_episodes"] == 4000 * (expected * num_steps // 4)
    assert metrics["test_mean_episode_length"] == pytest.approx(16 / 9, abs=0.06)
    assert metrics["test_decided_share"] == pytest.approx(8 / 9, abs=0.02)
