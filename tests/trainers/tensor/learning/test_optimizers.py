"""Which optimizer is built, with which options for whom."""

import json
import warnings
from dataclasses import replace

import pytest
import torch

from nip.errors import ParameterError
from nip.parameters import (
    AgentOptimizerParameters,
    LrFactors,
    OptimizerParameters,
    RandomAgentParameters,
    ToyAgentParameters,
)
from nip.trainers.tensor.learning.optimizers import (
    OPTIMIZERS,
    build_optimizer,
    load_optimizer_state_dict,
    optimizer_state_dict,
)
from tests.experiments import make_instance, make_params, tiny_graph_agent

CLASSES = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "radam": torch.optim.RAdam,
    "nadam": torch.optim.NAdam,
}
EVERYTHING = {"weight_decay": 0.1, "beta1": 0.7, "eps": 0.01, "momentum": 0.3, "alpha": 0.8}
KNOWN = {
    "adam": {"weight_decay": 0.1, "betas": (0.7, 0.999), "eps": 0.01},
    "adamw": {"weight_decay": 0.1, "betas": (0.7, 0.999), "eps": 0.01},
    "sgd": {"weight_decay": 0.1, "momentum": 0.3, "nesterov": True},
    "rmsprop": {"weight_decay": 0.1, "eps": 0.01, "momentum": 0.3, "alpha": 0.8},
    "adagrad": {"weight_decay": 0.1, "eps": 0.01},
    "radam": {"weight_decay": 0.1, "betas": (0.7, 0.999), "eps": 0.01},
    "nadam": {"weight_decay": 0.1, "betas": (0.7, 0.999), "eps": 0.01},
}
"""What PyTorch documents as options of each."""


def toy_agents(**prover):
    agents = {"prover": ToyAgentParameters(**prover)} if prover else None
    return make_instance(make_params(agents=agents)).agents


def groups_by_name(optimizer):
    return {group["name"]: group for group in optimizer.param_groups}


def give_gradients(parameters, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_the_default_is_bit_by_bit_pytorchs_fused_adam():
    ours, plain = toy_agents(), toy_agents()
    optimizers = [
        build_optimizer(ours, 0.01, OptimizerParameters(), eps=1e-5),
        torch.optim.Adam(plain.parameters(), lr=0.01, eps=1e-5, fused=True),
    ]
    for seed in range(3):
        for agents, optimizer in zip((ours, plain), optimizers, strict=True):
            give_gradients(agents.parameters(), seed)
            optimizer.step()
    assert all(map(torch.equal, ours.parameters(), plain.parameters()))
    assert optimizers[0].defaults == {**optimizers[1].defaults, "lr": 1e-3}


@pytest.mark.parametrize("name", CLASSES)
def test_only_what_is_given_differs_from_pytorchs_defaults(name):
    optimizer = build_optimizer(toy_agents(), 0.25, OptimizerParameters(name=name))
    assert isinstance(optimizer, CLASSES[name])
    plain = CLASSES[name]([torch.nn.Parameter(torch.zeros(1))]).defaults
    assert {**optimizer.defaults, "fused": None} == {**plain, "fused": None}
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}


@pytest.mark.parametrize("name", CLASSES)
def test_every_option_reaches_the_optimizer_that_knows_it(name):
    params = OptimizerParameters(name=name, nesterov=True, **EVERYTHING)
    optimizer = build_optimizer(toy_agents(), 0.1, params, eps=1e-5)
    plain = CLASSES[name]([torch.nn.Parameter(torch.zeros(1))]).defaults
    changed = {key: value for key, value in optimizer.defaults.items() if value != plain[key]}
    changed.pop("fused", None)
    assert changed == KNOWN[name]


def test_the_callers_eps_counts_where_none_is_given():
    open_ = build_optimizer(toy_agents(), 0.1, OptimizerParameters(), eps=1e-5)
    given = build_optimizer(toy_agents(), 0.1, OptimizerParameters(eps=0.5), eps=1e-5)
    assert {group["eps"] for group in open_.param_groups} == {1e-5}
    assert {group["eps"] for group in given.param_groups} == {0.5}


def test_an_agents_own_options_are_in_its_groups_alone():
    own = AgentOptimizerParameters(lr=0.5, weight_decay=0.2, beta1=0.6, momentum=0.4)
    agents = toy_agents(optimizer=own, agent_lr_factor={"actor": 2.0, "critic": 2.0})
    optimizer = build_optimizer(agents, 0.1, OptimizerParameters(beta2=0.8, weight_decay=0.1))
    for name, group in groups_by_name(optimizer).items():
        is_prover = name.startswith("prover")
        assert group["lr"] == (1.0 if is_prover else 0.1)
        assert group["weight_decay"] == (0.2 if is_prover else 0.1)
        assert group["betas"] == ((0.6 if is_prover else 0.9), 0.8)
        assert "momentum" not in group


def test_factors_multiply_for_each_agent_and_part(data_dir):
    prover = tiny_graph_agent(
        agent_lr_factor={"actor": 2.0, "critic": 3.0},
        body_lr_factor={"actor": 5.0, "critic": 7.0},
        gnn_lr_factor={"actor": 11.0, "critic": 13.0},
    )
    params = make_params(
        "graph_isomorphism",
        protocol="nip",
        agents={"prover": prover, "_default": tiny_graph_agent()},
        rl={"use_shared_body": False},
    )
    agents = make_instance(params, data_dir).agents
    groups = groups_by_name(build_optimizer(agents, 0.001, OptimizerParameters()))
    rates = {name: group["lr"] for name, group in groups.items()}
    verifier = {name: rate for name, rate in rates.items() if name.startswith("verifier")}
    assert len(verifier) == 6
    assert set(verifier.values()) == {0.001}
    assert {name: rates[name] / 0.001 for name in rates if name not in verifier} == pytest.approx(
        {
            "prover.body.gnn": 2 * 5 * 11,
            "prover.body": 2 * 5,
            "prover.value_body.gnn": 3 * 7 * 13,
            "prover.value_body": 3 * 7,
            "prover.policy_head": 2,
            "prover.value_head": 3,
        }
    )
    grouped = [parameter for group in groups.values() for parameter in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == set(agents.parameters())


def test_a_factor_of_zero_freezes_a_part_and_nothing_else(data_dir):
    prover = tiny_graph_agent(body_lr_factor={"actor": 0.0, "critic": 0.0})
    agents = {"prover": prover, "_default": tiny_graph_agent()}
    params = make_params("graph_isomorphism", protocol="nip", agents=agents)
    agents = make_instance(params, data_dir).agents
    groups = groups_by_name(build_optimizer(agents, 0.1, OptimizerParameters()))
    assert {name for name in groups if name.startswith("prover")} == {
        "prover.policy_head",
        "prover.value_head",
    }
    assert "verifier.body" in groups
    for name, parameter in agents.named_parameters():
        assert parameter.requires_grad != name.startswith("agents.prover.body")


def test_where_nobody_learns_there_is_an_optimizer_of_nothing():
    params = make_params(agents={"_default": RandomAgentParameters()})
    agents = make_instance(params).agents
    optimizer = build_optimizer(agents, 0.1, OptimizerParameters())
    assert [group["name"] for group in optimizer.param_groups] == ["nothing"]
    optimizer.step()


def test_parts_can_be_left_out_and_parameters_exchanged():
    agents = toy_agents(agent_lr_factor={"actor": 0.0, "critic": 0.0})
    optimizer = build_optimizer(
        agents,
        0.1,
        OptimizerParameters(),
        select=lambda _, part: part.name == "policy_head",
        params_of=lambda agent: replace(agent.context.params, agent_lr_factor=LrFactors()),
    )
    assert set(groups_by_name(optimizer)) == {"prover.policy_head", "verifier.policy_head"}
    assert all(parameter.requires_grad for parameter in agents.parameters())


def test_a_factory_gets_the_groups_and_decides():
    seen = []

    def factory(groups):
        seen.extend((group["name"], group["lr"]) for group in groups)
        return torch.optim.ASGD(groups)

    optimizer = build_optimizer(toy_agents(), 0.1, OptimizerParameters(), factory=factory)
    assert isinstance(optimizer, torch.optim.ASGD)
    assert ("prover.policy_head", 0.1) in seen
    assert len(seen) == len(optimizer.param_groups)


@pytest.mark.parametrize("momentum", [None, 0.9])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_gradient_may_come_late_and_moments_survive_a_checkpoint(name, momentum):
    """The first parameter of each group has no gradient in the first step."""
    params = OptimizerParameters(name=name, momentum=momentum)

    def start():
        agents = toy_agents()
        names = {parameter: key for key, parameter in agents.named_parameters()}
        return agents, names, build_optimizer(agents, 0.01, params)

    def steps(agents, optimizer, seeds):
        for seed in seeds:
            give_gradients(agents.parameters(), seed)
            for group in optimizer.param_groups if seed == 0 else []:
                group["params"][0].grad = None
            optimizer.step()

    whole, _, optimizer = start()
    steps(whole, optimizer, range(4))

    first, names, optimizer = start()
    steps(first, optimizer, range(2))
    state = optimizer_state_dict(optimizer, names)
    state = {
        "state": {key: value.clone() for key, value in state["state"].items()},
        "param_groups": json.loads(json.dumps(state["param_groups"])),
    }
    second, names, optimizer = start()
    second.load_state_dict(first.state_dict())
    load_optimizer_state_dict(optimizer, names, state)
    steps(second, optimizer, range(2, 4))
    assert all(map(torch.equal, whole.parameters(), second.parameters()))


def test_moments_find_their_parameters_by_name():
    first = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
    names = dict(zip(first, ("a", "b", "c"), strict=True))
    optimizer = torch.optim.Adam(first, lr=0.1)
    for scale, parameter in enumerate(first[:2], start=1):
        parameter.grad = torch.full((2,), float(scale))
    optimizer.step()
    stored = optimizer_state_dict(optimizer, names)
    assert set(stored["state"]) == {
        f"{name}:{key}" for name in ("a", "b") for key in ("step", "exp_avg", "exp_avg_sq")
    }
    second = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
    reordered = torch.optim.Adam(second[::-1], lr=0.1)
    load_optimizer_state_dict(reordered, dict(zip(second, ("a", "b", "c"), strict=True)), stored)
    for old, new in zip(first, second, strict=True):
        expected, found = optimizer.state.get(old, {}), reordered.state.get(new, {})
        assert expected.keys() == found.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_factory_that_leaves_out_groups_is_pointed_out():
    agents = toy_agents()
    own = {"objective": {"objective.w": torch.nn.Parameter(torch.zeros(()))}}

    def build(factory):
        return build_optimizer(agents, 0.1, OptimizerParameters(), factory=factory, owned=own)

    left = r"leaves out parameters of verifier\.value_head, objective: they are not trained"
    with pytest.warns(UserWarning, match=left):
        build(lambda groups: torch.optim.SGD(groups[:-2]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build(lambda groups: torch.optim.SGD([p for group in groups for p in group["params"]]))
    with pytest.raises(ParameterError, match=r"must return a torch\.optim\.Opt.*NoneType"):
        build(lambda groups: None)
