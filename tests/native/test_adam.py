"""The kernels of norm and Adam are used for tensors that they can read, and for no others."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nip.native import adam
from nip.native.kernels import native_kernels
from nip.native.library import unavailable_reason

pytestmark = pytest.mark.numerics


@pytest.fixture(autouse=True)
def _kernels() -> None:
    if (reason := unavailable_reason()) is not None:
        pytest.skip(reason)


class Labelled(Tensor):
    """A tensor of another class."""


UNUSABLE: dict[str, Callable[[Tensor], Tensor]] = {
    "float64": lambda tensor: tensor.double(),
    "gaps": lambda tensor: tensor.repeat(1, 2)[:, ::2],
    "turned": lambda tensor: tensor.t().contiguous().t(),
    "subclass": lambda tensor: tensor.as_subclass(Labelled),
    "another device": lambda tensor: tensor.to("meta"),
}


def takes_step(params: Tensor, gradients: Tensor, means: Tensor, **changes: Any) -> bool:
    """Return whether a kernel takes a step."""
    numbers = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.0}
    flags = {"amsgrad": False, "maximize": False, "is_decoupled": False}
    moments = adam.Moments([means], [torch.zeros(3, 2)], [])
    steps = torch.tensor([1.0])
    options: dict[str, Any] = numbers | flags | changes
    return adam.adam_step([params], [gradients], moments, steps, None, **options)


@pytest.mark.parametrize("name", UNUSABLE)
def test_tensors_that_a_kernel_cannot_read(name: str) -> None:
    one, two, other = torch.ones(3, 2), torch.ones(3, 2), UNUSABLE[name](torch.ones(3, 2))
    assert adam.clip_norm([one, other], 1.0) is None
    assert adam.clip_norm([other, one], 1.0) is None
    assert torch.equal(one, two)
    assert not takes_step(other, one, torch.zeros(3, 2))
    assert not takes_step(one, other, torch.zeros(3, 2))
    assert not takes_step(one, two, other)
    assert torch.equal(one, two)


def test_options_and_sizes_that_are_left_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = torch.ones(3, 2), torch.ones(3, 2), torch.zeros(3, 2)
    assert not takes_step(*tensors, lr=torch.tensor(0.1))
    assert not takes_step(*tensors, betas=(torch.tensor(0.9), 0.99))
    assert not takes_step(*tensors, amsgrad=True)
    assert not takes_step(torch.ones(3, 2), torch.ones(5), torch.zeros(3, 2))
    assert takes_step(*tensors)
    monkeypatch.setattr(adam, "MAX_ENTRIES", 5)
    assert not takes_step(*tensors)
    assert adam.clip_norm([torch.ones(6)], 1.0) is None
    assert adam.clip_norm([torch.ones(5)], 1.0) is not None


def test_nothing_is_read_where_kernels_are_off() -> None:
    with native_kernels(False):
        assert adam.clip_norm([torch.ones(3)], 1.0) is None
        assert not takes_step(torch.ones(3, 2), torch.ones(3, 2), torch.zeros(3, 2))


def test_tensors_without_memory_are_left_to_pytorch() -> None:
    def norm(tensor: Tensor) -> Tensor:
        assert adam.clip_norm([tensor], 1.0) is None
        return tensor.norm()

    assert torch.equal(torch.func.grad(norm)(torch.tensor([3.0])), torch.ones(1))


def test_the_norm_of_large_and_small_entries_is_rounded_once() -> None:
    """In single precision, a million squares of 1e-3 are lost beside that of 1e4."""
    norm = adam.clip_norm([torch.tensor([1e4]), torch.full((10**6,), 1e-2)], None)
    assert norm is not None
    assert norm.item() == torch.tensor((1e8 + 10**6 * 1e-4) ** 0.5, dtype=torch.float32).item()
    assert norm.item() > 1e4


def test_clipped_gradients_count_as_changed() -> None:
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    (gradient,) = torch.autograd.grad((weight**3).sum(), [weight], create_graph=True)
    square = (gradient**2).sum()
    adam.clip_norm([gradient], 1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        square.backward()
