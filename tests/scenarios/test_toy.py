"""The toy games: what each agent can see in each of them."""

import pytest
import torch

from nip.protocols.registry import protocol_registry
from tests.experiments import make_instance, make_params

GAMES = ("witness", "cheap_talk")


def toy_instance(dataset, protocol="nip", **changes):
    return make_instance(make_params(dataset=dataset, protocol=protocol, **changes))


def observation_of(message, secret, num_rounds=4):
    """Return what is seen of one-hot rows, where -1 stands for nothing at all."""

    def one_hot(symbols):
        symbols = torch.tensor(symbols)
        return torch.eye(4)[symbols.clamp_min(0)] * (symbols >= 0).unsqueeze(-1)

    said = one_hot(message).view(-1, 1, 1, 4)
    history = said.unsqueeze(1).expand(-1, num_rounds, -1, -1, -1)
    return {
        "round": torch.ones(len(message), dtype=torch.long),
        "message": said,
        "message_history": history,
        "x": history,
        "secret": one_hot(secret),
    }


def outputs(agent, observation):
    """Return everything that an agent makes of its observations, one row each."""
    output = agent(observation)
    decision = output.decision_logits
    parts = [output.message_logits.flatten(1), output.value.unsqueeze(-1)]
    return torch.cat(parts if decision is None else [*parts, decision], dim=-1)


def test_a_witness_is_marked_for_the_questions_whose_answer_is_one():
    dataset = toy_instance("witness").train_dataset
    assert dataset.message_shape == (4,)
    assert dataset.y.tolist() == [0] * 4 + [1] * 4
    assert not dataset.observations["secret"][:4].any()
    assert torch.equal(dataset.observations["secret"][4:], torch.eye(4))


def test_faults_are_marks_and_the_sound_are_twice_as_many():
    dataset = toy_instance("faults").train_dataset
    assert dataset.y.tolist() == [0] * 4 + [1] * 8
    assert torch.equal(dataset.observations["secret"][:4], torch.eye(4))
    assert not dataset.observations["secret"][4:].any()


def test_a_small_initial_scale_makes_a_policy_uniform():
    agents = {"_default": {"initial_policy_scale": 1e-3}}
    for _, _, agent in toy_instance("faults", agents=agents).agents:
        output = agent(observation_of([0, 1, 2, -1], [0, 0, -1, -1]))
        assert output.message_logits.abs().max() < 1e-2
        if output.decision_logits is not None:
            assert output.decision_logits.abs().max() < 1e-2
        assert output.value.abs().max() > 1e-2


def test_in_cheap_talk_the_secret_is_the_answer():
    dataset = toy_instance("cheap_talk").train_dataset
    assert dataset.y.tolist() == [0] * 4 + [1] * 4
    assert dataset.observations["secret"].argmax(-1).tolist() == dataset.y.tolist()


@pytest.mark.parametrize("protocol", protocol_registry.names())
@pytest.mark.parametrize("d_hidden", [0, 3])
def test_the_verifier_of_cheap_talk_hears_words_and_knows_nothing_else(protocol, d_hidden):
    agents = {"_default": {"d_hidden": d_hidden}}
    instance = toy_instance("cheap_talk", protocol, agents=agents)
    agent = instance.agents.agents["verifier"]
    state = instance.train_environment.initial_state()
    changed = {**state, "secret": 1 - state["secret"]}
    assert torch.equal(outputs(agent, state), outputs(agent, changed))


def test_the_verifier_of_cheap_talk_tells_words_apart():
    agent = toy_instance("cheap_talk").agents.agents["verifier"]
    seen = outputs(agent, observation_of([0, 1, 2, 3], [0, 0, 0, 0]))
    assert len(torch.unique(seen, dim=0)) == 4


@pytest.mark.parametrize("dataset", ["witness", "faults"])
def test_the_verifier_of_marks_sees_only_whether_the_named_position_is_marked(dataset):
    agent = toy_instance(dataset).agents.agents["verifier"]
    named_and_marked = outputs(agent, observation_of([0, 1, 2, 3], [0, 1, 2, 3]))
    others = outputs(agent, observation_of([0, 1, 2, 3, 3, 2, -1, -1], [1, 0, 3, -1, 2, -1, 0, -1]))
    assert len(torch.unique(named_and_marked, dim=0)) == 1
    assert len(torch.unique(others, dim=0)) == 1
    assert not torch.equal(named_and_marked[0], others[0])


@pytest.mark.parametrize("dataset", GAMES)
def test_the_prover_sees_the_secret_and_what_was_said(dataset):
    agent = toy_instance(dataset).agents.agents["prover"]
    seen = outputs(agent, observation_of([0, 1, -1, -1, 2], [3, 3, 2, -1, -1]))
    assert len(torch.unique(seen, dim=0)) == 5


@pytest.mark.parametrize("dataset", GAMES)
def test_without_a_hidden_layer_a_policy_is_a_table(dataset):
    for _, name, agent in toy_instance(dataset).agents:
        assert not list(agent.body.parameters())
        width = {"prover": 4 + 4, "verifier": 1 if dataset == "witness" else 4}[name]
        assert agent.policy_head.message.in_features == width


def test_a_hidden_layer_may_be_added():
    for _, _, agent in toy_instance("witness", agents={"_default": {"d_hidden": 5}}).agents:
        assert [tuple(p.shape) for p in agent.body.parameters()][1] == (5,)
        assert agent.value_head.value.in_features == 5
