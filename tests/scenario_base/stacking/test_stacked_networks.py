"""Modules of several runs that are computed together."""

import copy

import pytest
import torch
from torch import nn

from nip.scenario_base.stacking.networks import StackedWeights, StackingError, stack_modules


def networks(count: int) -> list[nn.Sequential]:
    torch.manual_seed(0)
    return [
        nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2, bias=False)) for _ in range(count)
    ]


def rows(count: int) -> torch.Tensor:
    return torch.randn(count, 4, 3, generator=torch.Generator().manual_seed(1))


def test_each_run_has_the_outputs_and_gradients_of_its_own_network(float64: None) -> None:
    own, inputs = networks(3), rows(3 * 6)
    stacked = stack_modules(own)
    together = stacked(inputs)
    alone = torch.cat([network(part) for network, part in zip(own, inputs.split(6), strict=True)])
    torch.testing.assert_close(together, alone)
    (together**2).sum().backward()
    (alone**2).sum().backward()
    for name, parameter in stacked.named_parameters():
        gradients = [network.get_parameter(name).grad for network in own]
        torch.testing.assert_close(parameter.grad, torch.stack(gradients))


def test_weights_are_copied_with_which_of_them_are_frozen() -> None:
    own = networks(2)
    stacked = stack_modules(own)
    with torch.no_grad():
        own[1][0].weight.add_(1.0)
    for network in own:
        network[2].weight.requires_grad_(False)
    StackedWeights(stacked, own).load()
    torch.testing.assert_close(stacked(rows(4))[2:], own[1](rows(4)[2:]))
    assert [each.requires_grad for each in stacked.parameters()] == [True, True, False]


def test_buffers_are_copied_in_and_back() -> None:
    own = networks(2)
    for number, network in enumerate(own):
        network.register_buffer("count", torch.tensor([float(number)]))
    stacked = stack_modules(own)
    weights = StackedWeights(stacked, own)
    own[0].get_buffer("count").fill_(5.0)
    weights.load()
    stacked.get_buffer("count").mul_(2.0)
    weights.store_buffers()
    assert [float(network.get_buffer("count")) for network in own] == [10.0, 2.0]


class Scale(nn.Module):
    """A layer with a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(3), nn.Dropout(0.1), nn.Conv2d(1, 1, 1), Scale()])
def test_other_layers_with_weights_or_noise_have_no_stacked_form(layer: nn.Module) -> None:
    with pytest.raises(StackingError, match=f"class {type(layer).__name__} has no stacked form"):
        stack_modules([nn.Sequential(layer), nn.Sequential(copy.deepcopy(layer))])
