"""Tokens of pairs of graphs: each graph pooled, and all nodes."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from nip.native.functions import KernelFunction
from nip.native.kernels import floats, pointer, sizes

COMPARISONS = ("none", "linear", "log")
"""Comparisons of the two graphs of a pair, in the order of the kernels."""


@dataclass(frozen=True)
class PairTokens(KernelFunction):
    """Sums over the nodes of each graph, normalised over the batch, before the nodes themselves.

    Inputs are nodes (batch, graph, node, width), further features of the tokens (batch, token,
    extra), and weight and bias of the normalisation, which also shifts and does not scale features
    that are constant over the batch. The output is (batch, token, width + extra).
    """

    eps: float
    """Variance up to which a feature counts as constant; added to that of others."""

    comparison: Literal["none", "linear", "log"]
    """Instead of the two sums of a pair, return their mean and half their absolute difference, on
    this scale; or the sums (none)."""

    offset: float
    """Added to a difference before the logarithm."""

    divisor: float
    """Divides the logarithm."""

    track: Callable[[Tensor, Tensor], None]
    """Called with mean and variance of the sums over all graphs of the batch, (width,)."""

    def in_pytorch(self, *inputs: Tensor) -> Float[Tensor, "batch token feature"]:
        """Compute the output, without ``track``."""
        nodes, extras, weight, bias = inputs
        sums = nodes.sum(dim=-2)
        variance, mean = torch.var_mean(sums, dim=(0, 1), correction=0)
        scale = torch.where(variance <= self.eps, 1.0, (variance + self.eps).rsqrt())
        pooled = (sums - mean) * scale * weight + bias
        if self.comparison != "none":
            first, second = pooled.unbind(dim=1)
            half = (first - second).abs() / 2
            if self.comparison == "log":
                half = (half + self.offset).log() / self.divisor
            pooled = torch.stack(((first + second) / 2, half), dim=1)
        return torch.cat((torch.cat((pooled, nodes.flatten(1, 2)), dim=1), extras), dim=-1)

    def output(
        self, library: ctypes.CDLL, inputs: Sequence[Tensor]
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the tokens; normalised sums and their variance are kept."""
        nodes, extras, weight, bias = inputs
        pairs, graphs, _, width = nodes.shape
        tokens = nodes.new_empty(*extras.shape[:2], width + extras.shape[-1])
        normalized = nodes.new_empty(pairs * graphs, width)
        mean, variance = nodes.new_empty(2, width).unbind(0)
        results = map(pointer, (tokens, normalized, mean, variance))
        given = map(pointer, (nodes, extras, weight, bias))
        library.nip_pooling_forward(*self._options(nodes, extras), *given, *results)
        self.track(mean, variance)
        return tokens, (normalized, variance)

    def gradients(
        self,
        library: ctypes.CDLL,
        d_output: Tensor,
        inputs: Sequence[Tensor],
        kept: Sequence[Tensor],
    ) -> Sequence[Tensor | None]:
        """Return the gradients of all inputs but the further features."""
        nodes, extras, weight, bias = inputs
        d_nodes = torch.empty_like(nodes)
        d_weight, d_bias = weight.new_empty(2, len(weight)).unbind(0)
        given = map(pointer, (d_output, weight, bias, *kept))
        results = map(pointer, (d_nodes, d_weight, d_bias))
        library.nip_pooling_backward(*self._options(nodes, extras), *given, *results)
        return d_nodes, None, d_weight, d_bias

    def _options(self, nodes: Tensor, extras: Tensor) -> tuple[ctypes.Array, ctypes.Array]:
        pairs, _, num_nodes, width = nodes.shape
        kind = COMPARISONS.index(self.comparison)
        return (
            sizes(pairs, num_nodes, width, extras.shape[-1], kind),
            floats(self.eps, self.offset, self.divisor),
        )
