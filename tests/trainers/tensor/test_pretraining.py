"""The warm-up of bodies before reinforcement learning, and its cache."""

import pytest
import torch

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.parameters import LrFactors
from nip.trainers.registry import build_trainer
from nip.trainers.tensor.pretraining import cache_path, pretrain_agents
from tests.experiments import (
    make_params,
    make_settings,
    same_tensors,
    tiny_graph_agent,
)


def pretraining_params(**changes):
    """Return an experiment whose bodies have dropout and noise, so that training is random."""
    agent = tiny_graph_agent(transformer_dropout=0.2, noise_sigma=0.1, **changes.pop("agent", {}))
    return make_params(
        "graph_isomorphism",
        protocol="nip",
        pretrain_agents=True,
        agents={"_default": agent},
        **changes,
    )


@pytest.fixture
def settings(tmp_path, data_dir) -> ExperimentSettings:
    return make_settings(tmp_path, data_dir)


def pretrained(params, settings):
    """Return the built parts after pretraining, their metrics, and the number of epochs trained."""
    instance = build_scenario_instance(params, settings)
    epochs = []
    metrics = pretrain_agents(instance, params, settings, on_epoch=epochs.append)
    return instance, metrics, len(epochs)


def weights(agents, part="") -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in agents.state_dict().items() if part in name}


def test_bodies_change_and_other_heads_do_not(settings):
    params = pretraining_params()
    before = weights(build_scenario_instance(params, settings).agents)
    after = weights(pretrained(params, settings)[0].agents)
    for agent in ("prover", "verifier"):
        bodies = [name for name in before if name.startswith(f"agents.{agent}.body.")]
        assert any(not torch.equal(before[name], after[name]) for name in bodies)
    heads = [name for name in before if ".policy_head." in name or ".value_head." in name]
    assert heads
    assert all(torch.equal(before[name], after[name]) for name in heads)


def test_the_metrics_say_that_they_are_of_pretraining(settings):
    _, metrics, _ = pretrained(pretraining_params(), settings)
    assert set(metrics) - {"pretrain_grad_norm"} == {
        f"pretrain_{test}{agent}.{metric}"
        for agent in ("prover", "verifier")
        for test in ("", "test_")
        for metric in ("loss", "accuracy")
    }


def test_a_second_time_the_same_weights_come_from_the_cache(settings):
    params = pretraining_params()
    first, first_metrics, num_epochs = pretrained(params, settings)
    second, second_metrics, num_cached_epochs = pretrained(params, settings)
    assert (num_epochs, num_cached_epochs) == (2, 0)
    assert same_tensors(weights(first.agents), weights(second.agents))
    assert first_metrics == second_metrics


def test_the_cache_can_be_ignored(settings, tmp_path, data_dir):
    params = pretraining_params()
    first, first_metrics, _ = pretrained(params, settings)
    again = make_settings(tmp_path, data_dir, ignore_cache=True)
    second, second_metrics, num_epochs = pretrained(params, again)
    assert num_epochs == 2
    assert same_tensors(weights(first.agents), weights(second.agents))
    assert first_metrics == second_metrics


@pytest.mark.parametrize(
    ("changes", "is_shared"),
    [
        ({"ppo": {"clip_epsilon": 0.3}}, True),
        ({"rl": {"lr": 0.5, "num_iterations": 7}}, True),
        ({"rl": {"rollouts_per_iteration": 5}}, True),
        ({"seed": 4}, False),
        ({"test_size": 0.5}, False),
        ({"solo_agent": {"num_epochs": 3}}, False),
        ({"agent": {"d_gnn": 5}}, False),
        # These decide how observations are scaled.
        ({"rl": {"num_normalization_steps": 50}}, False),
        ({"rl": {"normalize_observations": False}}, False),
    ],
)
def test_the_cache_is_shared_if_the_difference_does_not_matter(settings, changes, is_shared):
    dataset = build_scenario_instance(pretraining_params(), settings).train_dataset
    first = cache_path(dataset, pretraining_params(), settings)
    second = cache_path(dataset, pretraining_params(**changes), settings)
    assert (first == second) == is_shared


def test_the_cache_is_not_shared_between_different_data(settings):
    params = pretraining_params()
    dataset = build_scenario_instance(params, settings).train_dataset
    first = cache_path(dataset, params, settings)
    dataset.y[0] = 1 - dataset.y[0]
    assert cache_path(dataset, params, settings) != first


def test_a_critics_own_body_starts_with_the_same_weights(settings):
    params = pretraining_params(rl={"use_shared_body": False})
    for _ in range(2):  # trained, then from the cache
        instance, _, _ = pretrained(params, settings)
        for _, _, agent in instance.agents:
            assert same_tensors(agent.body.state_dict(), agent.value_body.state_dict())


def test_bodies_that_reinforcement_learning_leaves_alone_can_be_pretrained(settings):
    params = pretraining_params(
        agent={"body_lr_factor": {"actor": 0.0, "critic": 0.0}},
        solo_agent={"body_lr_factor_override": True, "num_epochs": 2, "learning_rate": 0.01},
    )
    instance = build_scenario_instance(params, settings)
    body = instance.agents.agents["prover"].body
    before = {name: p.detach().clone() for name, p in body.named_parameters()}
    trainer = build_trainer(params, instance, settings)
    pretrained_body = {}
    trainer.log = lambda *_: (
        pretrained_body
        or pretrained_body.update({name: p.detach().clone() for name, p in body.named_parameters()})
    )
    trainer.train()
    assert any(not torch.equal(pretrained_body[name], before[name]) for name in before)
    for name, parameter in body.named_parameters():
        assert not parameter.requires_grad
        assert torch.equal(parameter, pretrained_body[name])


@pytest.mark.parametrize("trainer", ["vanilla_ppo", "reinforce"])
def test_whether_pretraining_was_cached_changes_nothing_afterwards(settings, trainer):
    params = pretraining_params(trainer=trainer)
    results = []
    for _ in range(2):
        instance = build_scenario_instance(params, settings)
        logged = []
        built = build_trainer(params, instance, settings)
        built.log = lambda *entry, logged=logged: logged.append(entry)
        built.train()
        results.append((weights(instance.agents), logged))
    assert same_tensors(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]
    assert results[0][1][0][0] == 0


def test_an_agent_that_is_frozen_here_as_well_keeps_its_running_statistics(settings):
    params = pretraining_params(agent={"agent_lr_factor": LrFactors(0.0, 0.0)})
    before = weights(build_scenario_instance(params, settings).agents)
    assert same_tensors(weights(pretrained(params, settings)[0].agents), before)
