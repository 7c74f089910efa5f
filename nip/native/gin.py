"""Layers of a graph isomorphism network."""

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from nip.native.kernels import (
    differentiable_gradients,
    empty_like_each,
    kernels_for,
    pointer,
    pointers,
    records_gradients,
    sizes,
)

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
    if (
        not hidden.is_contiguous()
        or (library := kernels_for((hidden, neighbours, *weights))) is None
    ):
        return _plain(hidden, neighbours, node_mask, weights, activation, num_streams)
    options, node_mask = (library, activation, num_streams), node_mask.contiguous()
    if not records_gradients((hidden, *weights)):
        return _run(*options, hidden, neighbours, node_mask, weights)[0]
    return _NativeGin.apply(options, hidden, neighbours, node_mask, *weights)


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
    activation: str, num_streams: int, hidden: Tensor, weights: Sequence[Tensor]
) -> ctypes.Array:
    graphs, nodes, width = hidden.shape
    layers, kind = len(weights) // NUM_PARTS, list(ACTIVATIONS).index(activation)
    return sizes(graphs, nodes, num_streams, width // num_streams, len(weights[0]), layers, kind)


def _run(
    library: ctypes.CDLL,
    activation: str,
    num_streams: int,
    hidden: Tensor,
    neighbours: Tensor,
    node_mask: Tensor,
    weights: Sequence[Tensor],
    *,
    keeps: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return the output and, on request, what the backward pass reads."""
    shape, mask = _sizes(activation, num_streams, hidden, weights), pointer(node_mask)
    kept = hidden.new_empty(library.nip_gin_kept(shape, mask)) if keeps else None
    output = torch.empty_like(hidden)
    inputs = pointer(hidden), pointer(neighbours), mask, pointers(weights)
    library.nip_gin_forward(shape, *inputs, pointer(output), pointer(kept))
    return output, kept


class _NativeGin(torch.autograd.Function):
    """The layers by a kernel, with gradients of features and weights."""

    @staticmethod
    def forward(
        ctx: Any,
        options: tuple[ctypes.CDLL, str, int],
        hidden: Tensor,
        neighbours: Tensor,
        node_mask: Tensor,
        *weights: Tensor,
    ) -> Tensor:
        """Compute the output, and keep what the backward pass reads."""
        output, kept = _run(*options, hidden, neighbours, node_mask, weights, keeps=True)
        ctx.options = options
        ctx.save_for_backward(kept, hidden, neighbours, node_mask, *weights)
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients; if they are to be differentiated again, by PyTorch."""
        kept, hidden, neighbours, node_mask, *weights = ctx.saved_tensors
        library, activation, num_streams = ctx.options
        if torch.is_grad_enabled():
            output = _plain(hidden, neighbours, node_mask, weights, activation, num_streams)
            first, *others = differentiable_gradients(output, (hidden, *weights), grads)
            return None, first, None, None, *others
        d_output = grads[0].contiguous()  # Held until the kernel has ended.
        d_hidden, d_weights = torch.empty_like(hidden), empty_like_each(weights)
        library.nip_gin_backward(
            _sizes(activation, num_streams, hidden, weights),
            pointer(d_output),
            pointer(neighbours),
            pointer(node_mask),
            pointers(weights),
            pointer(kept),
            pointer(d_hidden),
            pointers(d_weights),
        )
        return None, d_hidden, None, None, *d_weights
