"""A graph isomorphism network."""

import ctypes
from collections.abc import Sequence
from functools import cache, lru_cache, partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from nip.native.kernels import sizes
from nip.native.layers import Layers

ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
"""Activation functions by name, in the order of the kernels."""

NUM_PARTS = 4
"""Tensors of a layer: weight and bias of both maps of its perceptron."""


def graph_isomorphism_network(
    features: Float[Tensor, "graph node feature"],
    neighbours: Float[Tensor, "graph node node"],
    node_mask: Bool[Tensor, "graph node"],
    weights: Sequence[Tensor],
    *,
    activation: str,
    num_streams: int,
) -> Float[Tensor, "graph node d_out"]:
    """Apply a linear map, and layers of activation, sum over neighbours, and a perceptron.

    Parameters
    ----------
    features : Tensor
        Features of the nodes in the first streams, next to each other. Other streams see zeros.
    neighbours : Tensor
        Weight of each node, the last axis, in the sum of another one. Padding has no weight.
    node_mask : Tensor
        True for nodes, false for padding, which becomes zeros.
    weights : sequence of Tensor
        Weight and bias of the linear map. Then for each layer: weight and bias from a stream to the
        hidden width of the perceptron, and back.
    activation : str
        Name of the activation function.
    num_streams : int
        Number of streams, which share the weights. The output has them next to each other.
    """
    layers = _layers(activation, num_streams, num_streams * len(weights[0]))
    return layers(features, neighbours, node_mask, weights)


@cache
def _layers(activation: str, num_streams: int, d_out: int) -> Layers:
    return Layers(
        "gin",
        partial(_plain, activation=activation, num_streams=num_streams),
        partial(_sizes, activation=activation, num_streams=num_streams),
        d_out,
        partial(_fits, num_streams=num_streams),
    )


def _plain(
    features: Tensor,
    neighbours: Tensor,
    node_mask: Tensor,
    weights: Sequence[Tensor],
    activation: str,
    num_streams: int,
) -> Tensor:
    activate = ACTIVATIONS[activation]
    first_weight, first_bias, *of_layers = weights
    given = F.linear(features.unflatten(-1, (-1, first_weight.shape[-1])), first_weight, first_bias)
    num_blank = num_streams - given.shape[2]
    blank = first_bias.expand(*given.shape[:2], num_blank, -1)
    hidden = torch.cat((given, blank), dim=2).flatten(2)
    for first in range(0, len(of_layers), NUM_PARTS):
        w1, b1, w2, b2 = of_layers[first : first + NUM_PARTS]
        hidden = torch.bmm(neighbours, activate(hidden))
        by_stream = hidden.unflatten(-1, (num_streams, -1))
        hidden = F.linear(activate(F.linear(by_stream, w1, b1)), w2, b2).flatten(2)
    # Padding has no neighbours, so it affects no node before it is set to 0 here.
    return hidden * node_mask.unsqueeze(-1)


@lru_cache(maxsize=16)
def _fits(num_features: int, shapes: tuple[torch.Size, ...], num_streams: int) -> bool:
    """Return whether weights have consistent shapes, and the features are those of some streams."""
    (width, d_in), _, *of_layers = shapes
    hidden = of_layers[0][0] if of_layers else 0
    of_layer = (hidden, width), (hidden,), (width, hidden), (width,)
    num_layers = len(of_layers) // NUM_PARTS
    given, rest = divmod(num_features, d_in)
    return (
        shapes == ((width, d_in), (width,), *of_layer * num_layers)
        and rest == 0
        and 1 <= given <= num_streams
    )


def _sizes(
    features: Tensor,
    _neighbours: Tensor,
    weights: Sequence[Tensor],
    activation: str,
    num_streams: int,
) -> ctypes.Array:
    graphs, nodes, all_features = features.shape
    first, _, *of_layers = weights
    width, d_in = first.shape
    hidden = len(of_layers[0]) if of_layers else 0
    layers, kind = len(of_layers) // NUM_PARTS, list(ACTIVATIONS).index(activation)
    given = all_features // d_in
    return sizes(graphs, nodes, d_in, given, num_streams, width, hidden, layers, kind)
