"""Building blocks of networks have the requested sizes and initial weights."""

import pytest
import torch
from torch import nn

from nip.scenario_base.networks import (
    build_mlp,
    initialise_orthogonally,
    round_through,
    two_layer_weights,
)


@pytest.mark.parametrize(
    ("num_layers", "widths"),
    [
        (1, [(3, 5), (5, 2)]),
        (2, [(3, 5), (5, 2)]),
        (3, [(3, 5), (5, 5), (5, 2)]),
        (4, [(3, 5), (5, 5), (5, 5), (5, 2)]),
    ],
)
def test_layers_are_linear_layers_and_never_fewer_than_two(
    num_layers: int, widths: list[tuple[int, int]]
) -> None:
    mlp = build_mlp(3, 5, 2, num_layers=num_layers, activation="relu")
    linear = [layer for layer in mlp if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == widths
    assert [type(layer) for layer in mlp[1::2]] == [nn.ReLU] * (len(widths) - 1)


def test_orthogonal_initialisation_leaves_scales_alone() -> None:
    module = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.MultiheadAttention(6, 2))
    initialise_orthogonally(module, gain=2.0)
    linear, norm, attention = module
    torch.testing.assert_close(linear.weight.T @ linear.weight, 4 * torch.eye(4))
    projection = attention.in_proj_weight
    torch.testing.assert_close(projection.T @ projection, 4 * torch.eye(6))
    for bias in (linear.bias, norm.bias, attention.in_proj_bias, attention.out_proj.bias):
        assert (bias == 0).all()
    assert (norm.weight == 1).all()


def test_rounding_lets_gradients_through() -> None:
    values = torch.tensor([0.1249, -2.875, 3.0], requires_grad=True)
    rounded = round_through(values, 2)
    torch.testing.assert_close(rounded, torch.tensor([0.12, -2.88, 3.0]))
    (rounded * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [1.0, 2.0, 3.0]


def test_weights_are_those_of_two_plain_layers() -> None:
    mlp = build_mlp(3, 4, 2, num_layers=2, activation="tanh")
    weights = two_layer_weights(mlp)
    assert weights is not None
    pairs = zip(weights, mlp.parameters(), strict=True)
    assert all(one is other for one, other in pairs)
    assert two_layer_weights(build_mlp(3, 4, 2, num_layers=3, activation="tanh")) is None
    assert (
        two_layer_weights(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Bilinear(4, 4, 2))) is None
    )


@pytest.mark.parametrize("place", ["of the perceptron", "of a layer", "before the activation"])
def test_layers_with_hooks_are_called(place: str) -> None:
    mlp = build_mlp(3, 4, 2, num_layers=2, activation="tanh")
    if place == "of the perceptron":
        handle = mlp.register_full_backward_hook(lambda *_: None)
    elif place == "of a layer":
        handle = mlp[2].register_forward_hook(lambda *_: None)
    else:
        handle = mlp[1].register_forward_pre_hook(lambda *_: None)
    assert two_layer_weights(mlp) is None
    handle.remove()
    assert two_layer_weights(mlp) is not None
