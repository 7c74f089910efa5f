"""The joint step of Adam gives the weights and states of PyTorch's own, also by a kernel."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from nip.native import adam
from nip.native.kernels import native_kernels
from nip.native.library import unavailable_reason
from nip.trainers.tensor.learning.joint_adam import JointAdam, JointAdamW

pytestmark = pytest.mark.numerics

OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "decay": {"weight_decay": 0.1, "betas": (0.5, 0.7), "eps": 1e-5},
    "amsgrad": {"amsgrad": True},
    "maximize": {"maximize": True, "weight_decay": 0.1},
    "all": {"amsgrad": True, "maximize": True, "weight_decay": 0.1, "betas": (0.4, 0.9)},
}
KINDS = [(JointAdam, torch.optim.Adam), (JointAdamW, torch.optim.AdamW)]


@pytest.fixture(params=["kernels", "pytorch"])
def kernel_steps(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[bool]]:
    """Compute by kernels or by PyTorch; return a list of which steps kernels took."""
    if request.param == "kernels" and (reason := unavailable_reason()) is not None:
        pytest.skip(reason)
    taken: list[bool] = []

    def recorded(*args: Any, **kwargs: Any) -> bool:
        taken.append(adam.adam_step(*args, **kwargs))
        return taken[-1]

    monkeypatch.setattr("nip.trainers.tensor.learning.joint_adam.adam_step", recorded)
    with native_kernels(request.param == "kernels"):
        yield taken
    assert taken == [request.param == "kernels"] * len(taken)


def assert_same(one: torch.Tensor, two: torch.Tensor) -> None:
    """Require equal bits where kernels have the roundings of PyTorch, elsewhere close numbers."""
    is_known = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    tolerance = {} if not is_known else {"rtol": 0.0, "atol": 0.0}
    torch.testing.assert_close(one, two, **tolerance)


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
def test_weights_and_states_are_those_of_pytorch(
    kind: type, stock: type, name: str, kernel_steps: list[bool]
) -> None:
    (own, parameters), (other, expected) = make(kind, OPTIONS[name]), make(stock, OPTIONS[name])
    take_steps(own, parameters, seed=1)
    take_steps(other, expected, seed=1)
    assert kernel_steps
    for one, two in zip(parameters, expected, strict=True):
        assert_same(one, two)
    first, second = own.state_dict(), other.state_dict()
    assert first["param_groups"] == second["param_groups"]
    for number, state in second["state"].items():
        assert state.keys() == first["state"][number].keys()
        for key, value in state.items():
            assert_same(first["state"][number][key], value)


@pytest.mark.usefixtures("kernel_steps")
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
    for one, two in zip(parameters, expected, strict=True):
        assert_same(one, two)


@pytest.mark.usefixtures("kernel_steps")
def test_what_has_replaced_the_data_of_a_parameter_is_updated() -> None:
    (own, parameters), (other, expected) = make(JointAdam, {}), make(torch.optim.Adam, {})
    for optimizer, tensors in ((own, parameters), (other, expected)):
        take_steps(optimizer, tensors, seed=1)
        tensors[2].data = torch.ones_like(tensors[2])
        take_steps(optimizer, tensors, seed=2)
    for one, two in zip(parameters, expected, strict=True):
        assert_same(one, two)


def test_a_skipped_step_changes_nothing(kernel_steps: list[bool]) -> None:
    (own, parameters), (_, untouched) = make(JointAdam, {}), make(JointAdam, {})
    own.found_inf = torch.tensor(1.0)
    take_steps(own, parameters, seed=1)
    assert kernel_steps
    for one, two in zip(parameters, untouched, strict=True):
        assert torch.equal(one, two)
        assert all(not value.any() for value in own.state[one].values())
    own.found_inf = torch.tensor(0.0)
    take_steps(own, parameters, seed=1)
    (other, expected) = make(torch.optim.Adam, {})
    for group in other.param_groups:
        group["lr"] *= 0.9**7
    take_steps(other, expected, seed=1)
    for one, two in zip(parameters, expected, strict=True):
        torch.testing.assert_close(one, two)


def test_groups_stay_joined_when_learning_rates_change_by_one_factor() -> None:
    own, parameters = make(JointAdam, {})
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    own.step()
    steps = [own.state[parameter]["step"] for parameter in parameters]
    for group in own.param_groups:
        group["lr"] *= 0.5
    own.step()
    assert all(own.state[p]["step"] is s for p, s in zip(parameters, steps, strict=True))
    assert [float(step) for step in steps] == [2.0] * 4
