"""The joint step of Adam gives the weights and states of PyTorch's own, also by a kernel."""

import random
import weakref
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
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


def assert_same_optimizers(own: torch.optim.Optimizer, other: torch.optim.Optimizer) -> None:
    """Require the same parameters and states."""
    for group, expected in zip(own.param_groups, other.param_groups, strict=True):
        for one, two in zip(group["params"], expected["params"], strict=True):
            assert_same(one, two)
    first, second = own.state_dict(), other.state_dict()
    assert first["param_groups"] == second["param_groups"]
    assert first["state"].keys() == second["state"].keys()
    for number, state in second["state"].items():
        assert state.keys() == first["state"][number].keys()
        for key, value in state.items():
            assert_same(first["state"][number][key], value)


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
    assert_same_optimizers(own, other)


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


def change(optimizer: torch.optim.Optimizer, seed: int) -> None:
    """Change one thing at random of what an optimizer has between two steps."""
    choice, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    group = choice.choice(optimizer.param_groups)
    position = choice.randrange(len(group["params"]))
    parameter = group["params"][position]
    state = optimizer.state.get(parameter, {})
    match choice.choice(("nothing", "reset", "moment", "parameter", "group", "rate", "load")):
        case "reset":
            optimizer.state.pop(parameter, None)
        case "moment" if state:
            name = choice.choice(list(state))
            state[name] = state[name] + 1
        case "parameter":
            new = group["params"][position] = nn.Parameter(parameter.detach() + 1)
            moments = optimizer.state.pop(parameter, {})
            if choice.random() < 0.5:
                optimizer.state[new] = moments
        case "group":
            sizes = range(1, choice.randint(2, 5))
            added = [nn.Parameter(torch.randn(2, size, generator=generator)) for size in sizes]
            optimizer.add_param_group({"params": added, "lr": choice.choice((0.01, 0.1))})
        case "rate":
            group["lr"] = choice.choice((0.01, 0.1))
        case "load":
            optimizer.load_state_dict(deepcopy(optimizer.state_dict()))


@pytest.mark.usefixtures("kernel_steps")
@pytest.mark.parametrize("seed", range(20))
def test_changes_between_steps_have_the_effects_that_they_have_in_pytorch(seed: int) -> None:
    kind, stock = KINDS[seed % 2]
    options = OPTIONS["amsgrad" if seed % 4 < 2 else "defaults"]
    (own, _), (other, _) = make(kind, options), make(stock, options)
    for number in range(40):
        for optimizer in (own, other):
            change(optimizer, 1000 * seed + number)
            generator = torch.Generator().manual_seed(number)
            is_missing = random.Random(number // 3).choices((False, True), (9, 1), k=100)
            parameters = [each for group in optimizer.param_groups for each in group["params"]]
            for parameter, missing in zip(parameters, is_missing, strict=False):
                gradient = torch.randn(parameter.shape, generator=generator)
                parameter.grad = None if missing else gradient
            optimizer.step()
        assert_same_optimizers(own, other)


@pytest.mark.usefixtures("kernel_steps")
def test_moments_that_were_reset_begin_anew_and_are_stored() -> None:
    layer = nn.Linear(3, 2)
    own = JointAdam(layer.parameters(), lr=0.1, fused=True)
    for _ in range(2):
        layer(torch.ones(4, 3)).sum().backward()
        own.step()
    own.state.pop(layer.bias)
    own.step()
    stored = own.state_dict()["state"]
    assert [float(stored[number]["step"]) for number in (0, 1)] == [3.0, 1.0]


@pytest.mark.usefixtures("kernel_steps")
def test_amsgrad_can_be_switched_off_and_on() -> None:
    (own, parameters), (other, expected) = (
        make(kind, OPTIONS["amsgrad"]) for kind in (JointAdam, torch.optim.Adam)
    )
    for has_amsgrad in (True, False, True):
        for optimizer, tensors in ((own, parameters), (other, expected)):
            for group in optimizer.param_groups:
                group["amsgrad"] = has_amsgrad
            for parameter in tensors:
                parameter.grad = parameter.detach().clone()
            optimizer.step()
        assert_same_optimizers(own, other)


def test_mixed_dtypes_and_lists_of_betas_are_updated_as_in_pytorch() -> None:
    results = []
    for kind in (JointAdam, torch.optim.Adam):
        torch.manual_seed(0)
        kinds = (torch.float32, torch.float64, torch.float32)
        parameters = [nn.Parameter(torch.randn(3, dtype=dtype)) for dtype in kinds]
        optimizer = kind([{"params": parameters, "betas": [0.5, 0.9]}], lr=0.1, fused=True)
        for _ in range(3):
            for parameter in parameters:
                parameter.grad = torch.randn_like(parameter)
            optimizer.step()
        results.append(optimizer)
    assert_same_optimizers(*results)


@pytest.mark.usefixtures("kernel_steps")
def test_gradients_are_freed_when_they_are_deleted() -> None:
    own, parameters = make(JointAdam, {})
    for _ in range(2):
        gradients = []
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)
            gradients.append(weakref.ref(parameter.grad))
        own.step()
        own.zero_grad()
        assert [gradient() for gradient in gradients] == [None] * len(parameters)


@pytest.mark.usefixtures("kernel_steps")
def test_moments_that_were_replaced_are_freed_in_the_next_step() -> None:
    own, parameters = make(JointAdam, {})
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    own.step()
    memory = []
    for parameter in parameters:
        array = np.zeros(parameter.shape, np.float32)
        memory.append(weakref.ref(array))
        own.state[parameter]["exp_avg"] = torch.from_numpy(array)
        del array
    own.step()
    assert all(array() is not None for array in memory)
    for parameter in parameters:
        own.state.pop(parameter)
    own.step()
    assert [array() for array in memory] == [None] * len(parameters)


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
