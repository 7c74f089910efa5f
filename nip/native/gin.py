"""Layers of a graph isomorphism network."""

import ctypes
from collections.abc import Sequence
from functools import partial

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


def gin_layers(
    hidden: Float[Tensor, "graph node width"],
    neighbours: Float[Tensor, "graph node node"],
    node_mask: Bool[Tensor, "graph node"],
    weights: Sequence[Tensor],
    *,
    activation: str,
    num_streams: int,
) -> Float[Tensor, "graph node width"]:
    """Apply layers of activation, sum over neighbours, and a perceptron in each stream.

    Parameters
    ----------
    hidden : Tensor
        Features of the nodes; those of the streams are next to each other.
    neighbours : Tensor
        Weight of each node, the last axis, in the sum of another one. Padding has no weight.
    node_mask : Tensor
        True for nodes, false for padding, which becomes zeros.
    weights : sequence of Tensor
        For each layer: weight and bias from a stream to the hidden width of the perceptron, and
        back.
    activation : str
        Name of the activation function.
    num_streams : int
        Number of streams, which share the weights.
    """
    layers = Layers(
        "gin",
        partial(_plain, activation=activation, num_streams=num_streams),
        partial(_sizes, activation=activation, num_streams=num_streams),
    )
    return layers(hidden, neighbours, node_mask, weights)


def _plain(
    hidden: Tensor,
    neighbours: Tensor,
    node_mask: Tensor,
    weights: Sequence[Tensor],
    activation: str,
    num_streams: int,
) -> Tensor:
    activate = ACTIVATIONS[activation]
    for first in range(0, len(weights), NUM_PARTS):
        w1, b1, w2, b2 = weights[first : first + NUM_PARTS]
        hidden = torch.bmm(neighbours, activate(hidden))
        by_stream = hidden.unflatten(-1, (num_streams, -1))
        hidden = F.linear(activate(F.linear(by_stream, w1, b1)), w2, b2).flatten(2)
    # Padding has no neighbours, so it affects no node before it is set to 0 here.
    return hidden * node_mask.unsqueeze(-1)


def _sizes(
    hidden: Tensor,
    _neighbours: Tensor,
    weights: Sequence[Tensor],
    activation: str,
    num_streams: int,
) -> ctypes.Array:
    graphs, nodes, width = hidden.shape
    layers, kind = len(weights) // NUM_PARTS, list(ACTIVATIONS).index(activation)
    return sizes(graphs, nodes, num_streams, width // num_streams, len(weights[0]), layers, kind)
