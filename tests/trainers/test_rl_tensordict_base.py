"""What an iteration of reinforcement learning does with its batch."""

import pytest
import torch

from nip.parameters import RandomAgentParameters
from tests.experiments import make_params, make_trainer


@pytest.fixture
def trainer():
    trainer = make_trainer(make_params(rl={"num_epochs": 3}))
    trainer.setup()
    yield trainer
    trainer.close()


def test_the_minibatches_of_all_epochs_come_with_the_number_of_their_epoch(trainer):
    batch = trainer.collect_batch()
    epochs = [trainer.context.epoch for _ in trainer.minibatches(batch)]
    assert epochs == [0, 0, 1, 1, 2, 2]
    assert trainer.num_minibatches == 6


def test_a_batch_has_advantages_and_comes_from_networks_in_evaluation_mode(trainer):
    modes = []
    trainer.gae = lambda batch: modes.append(trainer.agents.training)
    trainer.agents.train()
    batch = trainer.collect_batch()
    shape = trainer.scenario_instance.batch_shape
    assert batch.batch_size == (shape.num_environments, shape.num_steps)
    assert modes == [False]


def test_metrics_are_means_over_the_updates(trainer):
    steps = [{"a": torch.tensor(1.0)}, {"a": torch.tensor(4.0)}]
    trainer.minibatches = lambda batch: iter(steps)
    trainer.train_step = lambda minibatch: minibatch
    assert trainer._learn(trainer.collect_batch()) == {"a": 2.5}


def test_where_no_agent_learns_nothing_is_updated_but_the_iteration_is_finished():
    agents = {"_default": RandomAgentParameters()}
    trainer = make_trainer(make_params(agents=agents, lr_scheduler={"name": "exponential"}))
    trainer.setup()
    trainer.train_step = None
    assert trainer._learn(trainer.collect_batch()) == {}
    assert trainer.lr_scheduler.last_epoch == 1
    trainer.close()


def test_annealing_is_a_linear_schedule_over_the_run():
    annealed = make_trainer(make_params(rl={"anneal_lr": True}))
    assert annealed.lr_schedule.name == "linear"
    assert make_trainer(make_params()).lr_schedule.name == "constant"
    assert annealed.num_schedule_intervals == 2
