"""One agent: visible channels, parts with learning rates, and random agents."""

import pytest
import torch

from nip.parameters import GraphIsomorphismAgentParameters, RandomAgentParameters
from nip.protocols.registry import protocol_registry
from nip.scenario_base.agent import Agent
from nip.scenario_base.agents import ILLEGAL_LOGIT
from tests.experiments import TENSOR_SCENARIOS, make_instance, make_params, tiny_graph_agent

pytestmark = pytest.mark.usefixtures("float64")


def random_play(instance, num_steps=2):
    """Return the state after some rounds of random play, without its answers."""
    environment = instance.train_environment
    generator = torch.Generator().manual_seed(1)
    state = environment.initial_state()
    for _ in range(num_steps):
        actions = environment.random_actions(generator)
        actions["decision"].fill_(2)
        state = environment.advance(state, actions).state
    return {name: value for name, value in state.items() if name not in ("y", "datapoint_id")}


@pytest.mark.parametrize("protocol", protocol_registry.names())
@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_every_parameter_belongs_to_one_part(scenario, protocol, data_dir):
    params = make_params(scenario, protocol=protocol, rl={"use_shared_body": False})
    for _, _, agent in make_instance(params, data_dir).agents:
        assigned = [parameter for part in agent.parts() for parameter in part.parameters]
        assert len(assigned) == len(set(assigned))
        assert set(assigned) == set(agent.parameters())


def test_the_graph_network_is_a_part_of_its_own(data_dir):
    params = make_params("graph_isomorphism", protocol="nip", rl={"use_shared_body": False})
    agent = make_instance(params, data_dir).agents.agents["prover"]
    parts = {part.name: (part.role, part.factors) for part in agent.parts()}
    body = ("agent_lr_factor", "body_lr_factor")
    assert parts == {
        "body.gnn": ("actor", (*body, "gnn_lr_factor")),
        "body": ("actor", body),
        "value_body.gnn": ("critic", (*body, "gnn_lr_factor")),
        "value_body": ("critic", body),
        "policy_head": ("actor", ("agent_lr_factor",)),
        "value_head": ("critic", ("agent_lr_factor",)),
    }


def test_a_critic_with_a_body_of_its_own_does_not_read_the_actors(data_dir):
    params = make_params("graph_isomorphism", protocol="nip", rl={"use_shared_body": False})
    instance = make_instance(params, data_dir)
    agent = instance.agents.agents["verifier"].eval()
    state = random_play(instance)
    before = agent(state)
    with torch.no_grad():
        for parameter in agent.body.parameters():
            parameter.add_(1.0)
    after = agent(state)
    assert torch.equal(after.value, before.value)
    assert not torch.equal(after.decision_logits, before.decision_logits)
    assert torch.equal(agent.value(state), before.value)
    assert not agent(state, with_value=False).value.any()


@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_an_agent_hears_only_what_it_sees(scenario, data_dir):
    params = make_params(scenario, protocol="mnip", include_linear_message_space=True)
    instance = make_instance(params, data_dir)
    state = random_play(instance)
    changed = dict(state)
    # What prover1 and the verifier say to each other, prover0 cannot hear.
    for name, dim in (
        ("x", 2),
        ("message_history", 2),
        ("linear_message_history", 2),
        ("message", 1),
        ("linear_message", 1),
    ):
        changed[name] = state[name].clone()
        changed[name].select(dim, 1).add_(3.0)
    for _, name, agent in instance.agents:
        agent.eval()
        before, after = agent(state), agent(changed)
        assert torch.equal(before.message_logits, after.message_logits) == (name == "prover0")
        assert torch.equal(before.value, after.value) == (name == "prover0")
    hidden = instance.agents.agents["prover0"](state)
    assert (hidden.message_logits[:, 1] == ILLEGAL_LOGIT).all()
    assert (hidden.linear_message_logits[:, 1] == ILLEGAL_LOGIT).all()
    assert (hidden.message_logits[:, 0] > ILLEGAL_LOGIT).any()


COPIES = {"x": 2, "message_history": 2, "linear_message_history": 2}
COPIES |= {"message": 1, "linear_message": 1}


@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_a_prover_has_one_strategy_for_both_verifiers(scenario, data_dir):
    """What it says to one of them depends on that conversation only, and in the same way."""
    params = make_params(
        scenario,
        protocol="debate",
        include_linear_message_space=True,
        protocol_common={"zero_knowledge": True},
    )
    instance = make_instance(params, data_dir)
    state = random_play(instance)
    # The two channels of each verifier are exchanged; those of the simulator stay.
    order = torch.tensor([2, 3, 0, 1, 4, 5])
    exchanged = {
        name: value.index_select(COPIES[name], order) if name in COPIES else value
        for name, value in state.items()
    }
    for name in ("prover0", "prover1"):
        agent = instance.agents.agents[name].eval()
        before, after = agent(state), agent(exchanged)
        for logits in ("message_logits", "linear_message_logits"):
            one, other = getattr(before, logits), getattr(after, logits)
            assert torch.allclose(one[:, order], other)
            assert not torch.allclose(one[:, :2], one[:, 2:4])
            assert (one[:, 4:] == ILLEGAL_LOGIT).all()
        assert torch.allclose(before.value, after.value)
    deciders = [
        name for _, name, agent in instance.agents if agent(state).decision_logits is not None
    ]
    assert deciders == ["verifier", "adversarial_verifier", "simulator"]


def test_only_the_verifier_decides(data_dir):
    instance = make_instance(make_params("graph_isomorphism", protocol="debate"), data_dir)
    state = random_play(instance)
    deciders = [
        name for _, name, agent in instance.agents if agent(state).decision_logits is not None
    ]
    assert deciders == ["verifier"]


@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_random_agents_choose_uniformly_among_what_is_legal(scenario, data_dir):
    params = make_params(
        scenario, protocol="nip", agents={"_default": RandomAgentParameters()}, message_size=2
    )
    instance = make_instance(params, data_dir)
    state = random_play(instance)
    for _, name, agent in instance.agents:
        output = agent(state)
        assert agent.is_random
        assert not list(agent.parameters())
        assert set(output.message_logits.unique().tolist()) <= {0.0, ILLEGAL_LOGIT}
        assert (output.message_logits == 0).any(-1).all()
        assert not output.value.any()
        assert (output.decision_logits is None) == (name == "prover")
    if scenario == "graph_isomorphism":
        padding = ~state["node_mask"].flatten(1)
        logits = instance.agents.agents["verifier"](state).message_logits
        assert torch.equal(logits[:, 0, 0] == ILLEGAL_LOGIT, padding)


def test_a_random_agent_has_learning_opponents(data_dir):
    agents = {"_default": tiny_graph_agent(), "prover": RandomAgentParameters()}
    params = make_params("graph_isomorphism", protocol="nip", agents=agents)
    instance = make_instance(params, data_dir)
    assert instance.agents.agents["prover"].is_random
    assert not instance.agents.agents["verifier"].is_random
    assert isinstance(params.agents["verifier"], GraphIsomorphismAgentParameters)


def test_an_agent_without_a_solo_head_says_so():
    agent = make_instance(make_params()).agents.agents["verifier"]
    assert isinstance(agent, Agent)
    with pytest.raises(RuntimeError, match="'verifier' was built without a solo head"):
        agent.solo_logits({})
