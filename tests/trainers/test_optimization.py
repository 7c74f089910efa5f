"""Learning rates of the parts of agents, and the step that moves them."""

import pytest
import torch
from tensordict import TensorDict

from nip.parameters import RandomAgentParameters
from nip.rl_objectives import Objective
from nip.trainers.optimization import ADAM_EPS, UpdateStep, build_adam
from tests.experiments import make_instance, make_params, make_trainer, tiny_graph_agent


def groups_of(agents, learning_rate=1.0) -> dict[str, float]:
    optimizer = build_adam(agents, learning_rate)
    return {group["name"]: group["lr"] for group in optimizer.param_groups}


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
    rates = groups_of(make_instance(params, data_dir).agents, 0.001)
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


def test_every_learning_parameter_is_in_one_group(data_dir):
    params = make_params("graph_isomorphism", protocol="debate", rl={"use_shared_body": False})
    agents = make_instance(params, data_dir).agents
    optimizer = build_adam(agents, 0.1)
    grouped = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == set(agents.parameters())
    assert {group["eps"] for group in optimizer.param_groups} == {ADAM_EPS} == {1e-5}


def test_a_factor_of_zero_freezes_a_part_and_nothing_else(data_dir):
    prover = tiny_graph_agent(body_lr_factor={"actor": 0.0, "critic": 0.0})
    params = make_params(
        "graph_isomorphism",
        protocol="nip",
        agents={"prover": prover, "_default": tiny_graph_agent()},
    )
    trainer = make_trainer(params, data_dir)
    before = {name: p.detach().clone() for name, p in trainer.agents.named_parameters()}
    trainer.train()
    for name, parameter in trainer.agents.named_parameters():
        is_frozen = name.startswith("agents.prover.body")
        assert parameter.requires_grad != is_frozen
        if is_frozen:
            assert torch.equal(parameter, before[name])
            assert parameter not in trainer.optimizer.state
    heads = [n for n in before if n.startswith("agents.prover.policy_head")]
    now = dict(trainer.agents.named_parameters())
    assert any(not torch.equal(now[name], before[name]) for name in heads)


@pytest.mark.parametrize("trainer", ["vanilla_ppo", "reinforce"])
def test_an_experiment_in_which_nobody_learns_runs(trainer):
    params = make_params(trainer=trainer, agents={"_default": RandomAgentParameters()})
    make_trainer(params).train()


def test_the_learning_rate_is_annealed_to_zero_after_the_last_iteration():
    params = make_params(rl={"anneal_lr": True, "num_iterations": 4, "lr": 0.5})
    trainer = make_trainer(params)
    rates = []
    trainer.log = lambda iteration, metrics: rates.append(metrics.get("learning_rate"))
    trainer.train()
    assert rates[:4] == pytest.approx([0.5, 0.375, 0.25, 0.125])
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0)


def test_without_annealing_the_learning_rate_stays():
    trainer = make_trainer(make_params(rl={"num_iterations": 3, "lr": 0.5}))
    trainer.train()
    assert {group["lr"] for group in trainer.optimizer.param_groups} == {0.5}


class Pull(Objective):
    """A loss whose gradient is 3 for one parameter of each agent, and 0 for the rest."""

    def forward(self, tensordict):
        values = [agent.value_head.value.bias.sum() for agent in self.agents.agents.values()]
        return TensorDict({"loss_pull": 3 * torch.stack(values).sum()})


@pytest.mark.parametrize(("limit", "expected"), [(100.0, 3.0), (1e-3, 1e-3 / 2**0.5)])
def test_the_joint_gradient_is_scaled_down_to_its_limit(limit, expected):
    agents = make_instance(make_params()).agents
    learning_rate = 0.1
    optimizer = torch.optim.SGD(agents.parameters(), lr=learning_rate)
    biases = [agent.value_head.value.bias for agent in agents.agents.values()]
    before = [bias.detach().clone() for bias in biases]
    figures = UpdateStep(Pull(agents), optimizer, limit)(TensorDict())
    assert float(figures["grad_norm"]) == pytest.approx(3 * 2**0.5)
    assert not figures["loss_pull"].requires_grad
    for bias, old in zip(biases, before, strict=True):
        moved = (old - bias.detach()).item() / learning_rate
        assert moved == pytest.approx(expected, rel=1e-3)
