"""The joint step of Adam gives the weights and states of PyTorch's own."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from nip.trainers.tensor.learning.joint_adam import JointAdam, JointAdamW

pytestmark = pytest.mark.numerics

OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "decay": {"weight_decay": 0.1, "betas": (0.5, 0.7), "eps": 1e-5},
    "amsgrad": {"amsgrad": True},
}
KINDS = [(JointAdam, torch.optim.Adam), (JointAdamW, torch.optim.AdamW)]


def make(kind: type, options: dict[str, Any]) -> tuple[torch.optim.Optimizer, list[nn.Parameter]]:
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(3, size)) for size in (1, 4, 17, 5)]
    groups = [{"params": parameters[:2]}, {"params": parameters[2:3], "lr": 0.1}]
    groups.append({"params": parameters[3:]})
    return kind(groups, lr=0.01, fused=True, **options), parameters


def take_steps(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], seed: int) -> None:
    """Take steps in which other parameters have gradients, and learning rates change."""
    torch.manual_seed(seed)
    for missing in ((), (), (0, 3), (0, 3), (), (0, 1, 2, 3), (2,)):
        optimizer.zero_grad()
        for number, parameter in enumerate(parameters):
            gradient = torch.randn_like(parameter)
            parameter.grad = None if number in missing else gradient
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= 0.9


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize(("kind", "stock"), KINDS, ids=["adam", "adamw"])
def test_weights_and_states_are_those_of_pytorch(kind: type, stock: type, name: str) -> None:
    (own, parameters), (other, expected) = make(kind, OPTIONS[name]), make(stock, OPTIONS[name])
    take_steps(own, parameters, seed=1)
    take_steps(other, expected, seed=1)
    assert all(torch.equal(one, two) for one, two in zip(parameters, expected, strict=True))
    first, second = own.state_dict(), other.state_dict()
    assert first["param_groups"] == second["param_groups"]
    for number, state in second["state"].items():
        assert state.keys() == first["state"][number].keys()
        assert all(torch.equal(first["state"][number][key], state[key]) for key in state)


def test_a_loaded_state_is_the_one_that_is_used() -> None:
    (own, parameters), (other, expected) = make(JointAdam, {}), make(torch.optim.Adam, {})
    take_steps(other, expected, seed=1)
    take_steps(own, parameters, seed=2)
    own.load_state_dict(deepcopy(other.state_dict()))
    with torch.no_grad():
        for one, two in zip(parameters, expected, strict=True):
            one.copy_(two)
    take_steps(own, parameters, seed=3)
    take_steps(other, expected, seed=3)
    assert all(torch.equal(one, two) for one, two in zip(parameters, expected, strict=True))
