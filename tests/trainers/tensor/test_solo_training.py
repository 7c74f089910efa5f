"""Supervised training of agents by themselves."""

from contextlib import ExitStack

import pytest
import torch
from torch.nn import functional as F

from nip.parameters import LrFactors
from nip.trainers.builtin.solo_agent import SoloAgentTrainer
from tests.experiments import make_params, make_trainer, tiny_graph_agent


def solo_params(scenario="graph_isomorphism", **changes):
    solo = {"num_epochs": 3, "batch_size": 4, "learning_rate": 0.01, **changes.pop("solo", {})}
    return make_params(scenario, "solo_agent", "nip", solo_agent=solo, **changes)


@pytest.fixture
def ready(data_dir):
    """Return what builds a trainer of these parameters, ready for single epochs."""
    with ExitStack() as stack:

        def build(**changes) -> SoloAgentTrainer:
            trainer = make_trainer(solo_params(**changes), data_dir)
            trainer.setup()
            stack.callback(trainer.close)
            return trainer

        yield build


def test_the_rows_held_out_are_a_share_of_the_training_data(ready):
    dataset = ready(test_size=0.25).dataset
    held_out, kept = dataset.test_rows["row"].tolist(), dataset.train_rows["row"].tolist()
    assert len(held_out) == 2
    assert sorted(held_out + kept) == list(range(8))


def test_something_is_always_left_to_learn_from(ready):
    dataset = ready(test_size=0.99).dataset
    assert (len(dataset.train_rows), len(dataset.test_rows)) == (1, 7)
    assert len(dataset.minibatches()) == 1


def test_the_rows_come_in_batches_each_time_in_another_order(ready):
    dataset = ready(test_size=0.25).dataset
    minibatches = dataset.minibatches()
    passes = [
        [rows["row"].tolist() for rows in minibatches.of(dataset.train_rows)] for _ in range(8)
    ]
    assert len(minibatches) == 2
    assert {tuple(map(len, each)) for each in passes} == {(4, 2)}
    assert len({str(each) for each in passes}) > 1
    expected = sorted(dataset.train_rows["row"].tolist())
    assert all(sorted(first + second) == expected for first, second in passes)


def test_a_stored_order_continues_where_it_was(ready):
    dataset = ready(test_size=0.25).dataset
    minibatches, other = dataset.minibatches(), ready(test_size=0.25, seed=4).dataset.minibatches()
    list(minibatches.of(dataset.train_rows))
    other.load_state_dict(minibatches.state_dict())
    first, second = (list(each.of(dataset.train_rows)) for each in (minibatches, other))
    assert [rows["row"].tolist() for rows in first] == [rows["row"].tolist() for rows in second]


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_metrics_are_the_cross_entropy_and_the_share_of_right_answers(ready, split):
    trainer = ready()
    instance = trainer.scenario_instance
    metrics = trainer.evaluate(split)
    dataset = trainer.dataset
    rows = (dataset.test_rows if split == "test" else dataset.train_rows)["row"]
    state = instance.train_environment.state_of(rows, torch.zeros_like(rows))
    y = instance.train_dataset.y[rows]
    instance.agents.eval()
    for name, agent in instance.agents.agents.items():
        logits = agent.solo_logits(state)
        loss = F.cross_entropy(logits, y).item()
        assert metrics[f"{split}_{name}.loss"] == pytest.approx(loss, rel=1e-4)
        accuracy = (logits.argmax(-1) == y).double().mean().item()
        assert metrics[f"{split}_{name}.accuracy"] == pytest.approx(accuracy)


def test_the_names_of_the_metrics_are_known_in_advance(ready):
    trainer = ready()
    logged = trainer.train_iteration() | trainer.evaluate()
    assert logged.keys() <= trainer.metric_names()


def test_an_agent_learns_the_same_whoever_learns_beside_it(ready):
    first = ready()
    second = ready(agents={"prover": tiny_graph_agent(d_gnn=6), "_default": tiny_graph_agent()})
    for _ in range(2):
        expected, found = first.train_iteration(), second.train_iteration()
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


def test_factors_of_the_learning_rate_hold_in_solo_training_too(ready):
    agent = tiny_graph_agent(
        agent_lr_factor={"actor": 2.0, "critic": 2.0},
        body_lr_factor={"actor": 3.0, "critic": 3.0},
        gnn_lr_factor={"actor": 5.0, "critic": 5.0},
    )
    trainer = ready(agents={"_default": agent}, solo={"learning_rate": 0.001})
    groups = trainer.learner.optimizer.param_groups
    assert [group["lr"] / 0.001 for group in groups] == pytest.approx([30, 6, 2] * 2)


def test_a_frozen_agent_keeps_its_running_statistics_too(ready):
    frozen = tiny_graph_agent(agent_lr_factor=LrFactors(0.0, 0.0))
    trainer = ready(agents={"_default": tiny_graph_agent(), "prover": frozen})
    before = {name: value.clone() for name, value in trainer.agents.state_dict().items()}
    trainer.train_iteration()
    after = trainer.agents.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(".prover." in name for name in changed)
    assert "agents.verifier.body.pooling.batch_norm.num_batches_tracked" in changed
