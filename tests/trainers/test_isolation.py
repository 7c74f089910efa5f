"""Evaluations, frozen parts and earlier trainers leave no trace in a training."""

import pytest
import torch

from nip.errors import DivergenceError
from nip.experiment_settings import ExperimentSettings
from nip.trainers.registry import build_trainer
from nip.trainers.tensor.learning.agent_freezing import train_learning_parts
from tests.experiments import (
    make_instance,
    make_params,
    make_trainer,
    same_tensors,
    tiny_graph_agent,
)


def test_a_test_after_each_epoch_changes_no_weight(data_dir):
    params = make_params(
        "graph_isomorphism",
        "solo_agent",
        "nip",
        agents={"_default": tiny_graph_agent(use_batch_norm=True, noise_sigma=0.3)},
        solo_agent={"num_epochs": 3, "batch_size": 4, "learning_rate": 0.01},
    )
    plain, watched = make_trainer(params, data_dir), make_trainer(params, data_dir)

    watched.log = lambda iteration, metrics: watched.evaluate()
    plain.train()
    watched.train()
    assert same_tensors(plain.agents.state_dict(), watched.agents.state_dict())


def test_a_second_test_finds_the_same():
    trainer = make_trainer(make_params())
    trainer.train()
    assert trainer.evaluate() == trainer.evaluate()


def test_a_frozen_part_is_in_evaluation_mode_while_the_others_learn(data_dir):
    params = make_params(
        "graph_isomorphism", agents={"_default": tiny_graph_agent(use_batch_norm=True)}
    )
    agents = make_instance(params, data_dir).agents
    prover = agents.agents["prover"]
    prover.body.requires_grad_(False)
    train_learning_parts(agents)
    assert not any(module.training for module in prover.body.modules())
    assert all(module.training for module in prover.policy_head.modules())
    assert all(module.training for module in agents.agents["verifier"].body.modules())


def test_a_second_trainer_measures_observations_anew_and_finds_nobody_frozen():
    schedule = {"AlternatingPeriodicUpdateSchedule": {"period": 2, "first_agent_num_rounds": 1}}
    schedule["_type"] = "AlternatingPeriodicUpdateSchedule"
    params = make_params(agents={"prover": {"update_schedule": schedule}}, rl={"num_iterations": 2})
    instance = make_instance(params)
    statistics = []
    for _ in range(2):
        build_trainer(params, instance, ExperimentSettings(progress=False)).train()
        statistics.append({k: v.clone() for k, v in instance.normalizer.state_dict().items()})
        assert all(parameter.requires_grad for parameter in instance.agents.parameters())
    assert same_tensors(*statistics)
    assert statistics[0]["x_std"] != 1


def test_a_weight_that_is_no_number_ends_the_run():
    trainer = make_trainer(make_params())
    with torch.no_grad():
        next(trainer.agents.agents["verifier"].parameters()).fill_(float("nan"))
    with pytest.raises(DivergenceError, match="became nan in iteration 1"):
        trainer.train()
