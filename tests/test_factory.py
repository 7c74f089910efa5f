"""Building the parts of an experiment."""

import pytest
import torch

from nip.errors import ParameterError
from nip.parameters import RandomAgentParameters
from nip.scenario_base.batch_shape import BatchShape
from tests.experiments import (
    make_instance,
    make_params,
    same_tensors,
    tiny_graph_agent,
)


def graph_params(trainer="vanilla_ppo", protocol="nip", **changes):
    return make_params("graph_isomorphism", trainer, protocol, **changes)


def weights_of(instance, agent) -> dict[str, torch.Tensor]:
    return instance.agents.agents[agent].state_dict()


def heads_of(instance, agent="verifier") -> set[str]:
    return {name for name, _ in instance.agents.agents[agent].named_children()}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {"body", "policy_head", "value_head"}),
        (
            {"rl": {"use_shared_body": False}},
            {"body", "value_body", "policy_head", "value_head"},
        ),
        ({"pretrain_agents": True}, {"body", "policy_head", "value_head", "solo_head"}),
        ({"trainer": "solo_agent"}, {"body", "solo_head"}),
    ],
)
def test_agents_have_the_parts_that_the_trainer_needs(params, expected, data_dir):
    assert heads_of(make_instance(graph_params(**params), data_dir)) == expected


def test_a_random_agent_has_no_body_of_its_critics(data_dir):
    agents = {"prover": RandomAgentParameters(), "_default": tiny_graph_agent()}
    params = graph_params(agents=agents, rl={"use_shared_body": False})
    assert heads_of(make_instance(params, data_dir), "prover") == {
        "body",
        "policy_head",
        "value_head",
    }


def test_the_agents_are_those_of_the_protocol_in_its_order(data_dir):
    instance = make_instance(graph_params(protocol="multi_channel_test"), data_dir)
    assert instance.agents.names == ("prover0", "prover1", "prover2", "verifier")
    assert instance.protocol_handler.agent_names == instance.agents.names


def test_the_first_weights_of_an_agent_do_not_depend_on_the_others(data_dir):
    plain = make_instance(graph_params(), data_dir)
    other = {"prover": tiny_graph_agent(d_gnn=7), "_default": tiny_graph_agent()}
    changed = make_instance(graph_params(agents=other), data_dir)
    assert same_tensors(weights_of(plain, "verifier"), weights_of(changed, "verifier"))
    assert not same_tensors(weights_of(plain, "prover"), weights_of(changed, "prover"))


def test_every_agent_has_first_weights_of_its_own(data_dir):
    instance = make_instance(graph_params(protocol="debate"), data_dir)
    first, second = (weights_of(instance, name) for name in ("prover0", "prover1"))
    assert first.keys() == second.keys()
    assert not same_tensors(first, second)


def test_the_first_weights_follow_from_the_seed_alone(data_dir):
    torch.manual_seed(1)
    first = make_instance(graph_params(seed=1), data_dir)
    torch.manual_seed(2)
    second = make_instance(graph_params(seed=1), data_dir)
    other = make_instance(graph_params(seed=2), data_dir)
    assert same_tensors(first.agents.state_dict(), second.agents.state_dict())
    assert not same_tensors(first.agents.state_dict(), other.agents.state_dict())


def test_building_leaves_the_callers_randomness_alone(data_dir):
    before = torch.get_rng_state()
    make_instance(graph_params(), data_dir)
    assert torch.equal(torch.get_rng_state(), before)


def test_environments_share_the_normalizer_and_differ_in_data_and_order(data_dir):
    instance = make_instance(graph_params(), data_dir)
    train, test = instance.train_environment, instance.test_environment
    assert train.normalizer is test.normalizer is instance.normalizer
    assert len(train.dataset) == len(instance.train_dataset)
    states = [environment.initial_state() for environment in (train, test)]
    assert not torch.equal(states[0]["seed"], states[1]["seed"])


def test_the_batch_follows_from_the_parameters(data_dir):
    params = graph_params(rl={"rollouts_per_iteration": 5, "steps_per_env_per_iteration": 3})
    instance = make_instance(params, data_dir)
    assert instance.batch_shape == BatchShape(num_environments=5, num_steps=3)
    assert instance.train_environment.num_environments == 5
    # Without a number of rollouts there is one for each of the eight datapoints.
    params = graph_params(rl={"rollouts_per_iteration": None})
    assert make_instance(params, data_dir).batch_shape == BatchShape(8, 4)


def test_a_batch_that_cannot_be_divided_is_refused(data_dir):
    with pytest.raises(ParameterError, match="not a multiple of the 4 steps"):
        make_instance(graph_params(rl={"frames_per_batch": 1001}), data_dir)


@pytest.mark.parametrize("trainer", ["vanilla_ppo", "solo_agent"])
def test_orthogonal_first_weights_are_an_option(trainer, data_dir):
    for is_orthogonal in (True, False):
        agent = tiny_graph_agent(use_orthogonal_initialisation=is_orthogonal)
        instance = make_instance(graph_params(trainer, agents={"_default": agent}), data_dir)
        matrix = instance.agents.agents["prover"].body.gnn.mlps[0][0].weight
        identity = torch.eye(4)
        assert torch.allclose(matrix @ matrix.T, identity, atol=1e-5) == is_orthogonal


@pytest.mark.parametrize(
    "changes", [{"trainer": "solo_agent"}, {"trainer": "vanilla_ppo", "pretrain_agents": True}]
)
def test_somebody_must_be_able_to_learn_alone(changes):
    params = make_params(agents={"_default": {"is_random": True}}, **changes)
    with pytest.raises(ParameterError, match="Let an agent learn"):
        make_instance(params)


def test_a_random_prover_may_meet_a_hand_written_verifier(data_dir):
    """The command line hands ``_default`` on to all agents, also to those that play at random."""
    params = graph_params(
        agents={
            "verifier": tiny_graph_agent(use_manual_architecture=True),
            "prover": RandomAgentParameters(use_manual_architecture=True),
        }
    )
    agents = make_instance(params, data_dir).agents.agents
    assert not list(agents["prover"].parameters())
    assert not any(parameter.requires_grad for parameter in agents["verifier"].body.parameters())
