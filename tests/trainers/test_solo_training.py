"""Supervised training of agents by themselves."""

import pytest
import torch
from torch.nn import functional as F

from nip.trainers.solo_training import SoloTraining
from tests.experiments import make_instance, make_params, make_trainer, tiny_graph_agent


def solo_params(scenario="graph_isomorphism", **changes):
    solo = {"num_epochs": 3, "batch_size": 4, "learning_rate": 0.01, **changes.pop("solo", {})}
    return make_params(scenario, "solo_agent", "nip", solo_agent=solo, **changes)


def training_of(data_dir, **changes) -> SoloTraining:
    params = solo_params(**changes)
    instance = make_instance(params, data_dir)
    return SoloTraining(instance.agents, instance.train_environment, params)


def test_the_rows_held_out_are_a_share_of_the_training_data(data_dir):
    training = training_of(data_dir, test_size=0.25)
    held_out, kept = training._test_rows.tolist(), training._train_rows.tolist()
    assert len(held_out) == 2
    assert sorted(held_out + kept) == list(range(8))


def test_something_is_always_left_to_learn_from(data_dir):
    training = training_of(data_dir, test_size=0.99)
    assert (len(training._train_rows), len(training._test_rows)) == (1, 7)


def test_the_figures_are_the_cross_entropy_and_the_share_of_right_answers(data_dir):
    params = solo_params()
    instance = make_instance(params, data_dir)
    training = SoloTraining(instance.agents.eval(), instance.train_environment, params)
    metrics = training.evaluate()
    rows = training._test_rows
    state = instance.train_environment.state_of(rows, torch.zeros_like(rows))
    y = instance.train_dataset.y[rows]
    for name, agent in instance.agents.agents.items():
        logits = agent.solo_logits(state)
        assert metrics[f"test_{name}.loss"] == pytest.approx(F.cross_entropy(logits, y).item())
        accuracy = (logits.argmax(-1) == y).double().mean().item()
        assert metrics[f"test_{name}.accuracy"] == pytest.approx(accuracy)


def test_an_agent_learns_the_same_whoever_learns_beside_it(data_dir):
    first = training_of(data_dir)
    second = training_of(
        data_dir,
        agents={"prover": tiny_graph_agent(d_gnn=6), "_default": tiny_graph_agent()},
    )
    for _ in range(2):
        expected, found = first.run_epoch(), second.run_epoch()
        assert found["verifier.loss"] == expected["verifier.loss"]
        assert found["prover.loss"] != expected["prover.loss"]


def test_solo_training_learns_what_can_be_learnt(data_dir):
    """Paths and complete graphs differ in their number of edges."""
    agent = tiny_graph_agent(d_gnn=8, d_gin_mlp=8)
    params = solo_params(
        agents={"_default": agent}, solo={"num_epochs": 60, "learning_rate": 0.02}, test_size=0.2
    )
    trainer = make_trainer(params, data_dir)
    logged = {}
    trainer.log = lambda iteration, metrics: logged.update(metrics)
    trainer.train()
    assert logged["verifier.accuracy"] == 1
    assert logged["test_verifier.accuracy"] == 1


def test_the_factor_of_the_body_may_be_overridden(data_dir):
    frozen = tiny_graph_agent(body_lr_factor={"actor": 0.0, "critic": 0.0}, use_batch_norm=False)
    for override in (False, True):
        params = solo_params(
            agents={"_default": frozen}, solo={"body_lr_factor_override": override}
        )
        trainer = make_trainer(params, data_dir)
        body = trainer.agents.agents["prover"].body
        before = {name: p.detach().clone() for name, p in body.named_parameters()}
        trainer.train()
        moved = any(not torch.equal(p, before[name]) for name, p in body.named_parameters())
        assert moved == override


def test_factors_of_the_learning_rate_hold_in_solo_training_too(data_dir):
    agent = tiny_graph_agent(
        agent_lr_factor={"actor": 2.0, "critic": 2.0},
        body_lr_factor={"actor": 3.0, "critic": 3.0},
        gnn_lr_factor={"actor": 5.0, "critic": 5.0},
    )
    training = training_of(data_dir, agents={"_default": agent}, solo={"learning_rate": 0.001})
    rates = [group["lr"] / 0.001 for group in training.optimizer.param_groups]
    assert rates == pytest.approx([30, 6, 2] * 2)
