"""Building blocks of the agents' networks: perceptrons, initialisation and rounding."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
"""Activation functions by their names in the parameters."""


def build_mlp(
    d_in: int, d_hidden: int, d_out: int, *, num_layers: int, activation: str
) -> nn.Sequential:
    """Build a multilayer perceptron, which maps (..., d_in) to (..., d_out).

    Parameters
    ----------
    num_layers : int
        Number of linear layers; at least two are built, the first and the last.
    """
    widths = [d_in, *[d_hidden] * max(num_layers - 1, 1), d_out]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


def _has_hooks(module: nn.Module) -> bool:
    before = module._forward_pre_hooks or module._backward_pre_hooks
    return bool(before or module._forward_hooks or module._backward_hooks)


def two_layer_weights(mlp: nn.Sequential) -> list[Tensor] | None:
    """Return weight and bias of both layers of a perceptron; None if it has other layers or hooks.

    A computation by the weights alone calls no hooks.
    """
    layers = list(mlp._modules.values())
    linear = layers[::2]
    if len(layers) != 3 or any(type(each) is not nn.Linear for each in linear):
        return None
    if any(map(_has_hooks, (mlp, *layers))):
        return None
    weights = [each for layer in linear for each in weight_and_bias(layer)]
    return None if any(each is None for each in weights) else weights


def weight_and_bias(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a linear map or a norm; None for one that it was built without."""
    own: dict[str, Any] = layer._parameters
    try:
        # Modules look up their attributes slowly.
        return own["weight"], own["bias"]
    except KeyError:  # They are computed from others.
        return layer.weight, layer.bias  # type: ignore[return-value]


@torch.no_grad()
def initialise_orthogonally(module: nn.Module, gain: float = 1.0) -> None:
    """Make every matrix of a module orthogonal, times the gain, and every bias zero, in place.

    Other vectors, such as the scale of a normalisation layer, keep their values.
    """
    for name, parameter in module.named_parameters():
        if parameter.ndim >= 2:
            nn.init.orthogonal_(parameter, gain)
        elif name.rpartition(".")[2].endswith("bias"):
            parameter.zero_()


class RoundHalfEven(torch.autograd.Function):
    """Rounding with a straight-through gradient.

    The true gradient is zero almost everywhere, so the layers before it would not learn.
    """

    @staticmethod
    def forward(ctx: object, values: Tensor, num_decimals: int) -> Tensor:  # noqa: ARG004
        """Round to a number of decimals."""
        return torch.round(values, decimals=num_decimals)

    @staticmethod
    def backward(ctx: object, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004
        """Return the gradient unchanged."""
        return grads[0], None


def round_through(values: Tensor, num_decimals: int) -> Tensor:
    """Round to a number of decimals, with the gradient of the identity."""
    return RoundHalfEven.apply(values, num_decimals)
