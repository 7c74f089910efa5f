"""A transformer encoder for short sequences of narrow tokens.

For about twenty tokens with a few dimensions per head, PyTorch's attention kernels are dominated
by overhead: on a CPU, plain matrix products take about 0.6 of their time.
"""

import ctypes
from collections.abc import Sequence
from functools import cache, lru_cache, partial
from math import sqrt
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from nip.native.kernels import sizes
from nip.native.layers import Layers

LAYER_NORM_EPS = 1e-5
"""Added to the variance of a token, as PyTorch does by default."""


class LayerWeights(NamedTuple):
    """Parameters of a layer, under the names that they have in PyTorch's modules."""

    in_proj_weight: Tensor
    in_proj_bias: Tensor
    out_proj_weight: Tensor
    out_proj_bias: Tensor
    linear1_weight: Tensor
    linear1_bias: Tensor
    linear2_weight: Tensor
    linear2_bias: Tensor
    norm1_weight: Tensor
    norm1_bias: Tensor
    norm2_weight: Tensor
    norm2_bias: Tensor


def transformer_encoder(
    features: Float[Tensor, "batch token d_in"],
    allowed: Float[Tensor, "any token token"],
    is_real: Bool[Tensor, "batch token"],
    weights: Sequence[Tensor],
    *,
    num_heads: int,
    dropout: float = 0.0,
) -> Float[Tensor, "batch token d_out"]:
    """Apply a linear map, layers of a transformer, and another linear map.

    A layer is self-attention and a feed-forward part, normalised after each (post-norm).

    Parameters
    ----------
    features : Tensor
        Features of the tokens.
    allowed : Tensor
        0 where a token, the row, may attend to another one, else minus infinity; for each sequence,
        or one for all. Every row must allow at least one real token.
    is_real : Tensor
        False for padding, which no token attends to, and which becomes zeros.
    weights : sequence of Tensor
        Weight and bias of the first map, those of ``LayerWeights`` for each layer, and weight and
        bias of the last map.
    num_heads : int
        Number of heads.
    dropout : float
        Probability of dropout, as in :class:`torch.nn.TransformerEncoderLayer`.
    """
    # Single features have no norm.
    if dropout > 0 or len(weights[0]) == 1:
        return _plain(features, allowed, is_real, weights, num_heads, dropout)
    return _layers(num_heads, len(weights[-1]))(features, allowed, is_real, weights)


@cache
def _layers(num_heads: int, d_out: int) -> Layers:
    return Layers(
        "transformer",
        partial(_plain, num_heads=num_heads, dropout=0.0),
        partial(_sizes, num_heads=num_heads),
        d_out,
        partial(_fits, num_heads=num_heads),
        constants=(LAYER_NORM_EPS,),
        shares_relations=True,
    )


def attend_with_products(
    queries: Float[Tensor, "heads token d_head"],
    keys: Float[Tensor, "heads token d_head"],
    values: Float[Tensor, "heads token d_head"],
    mask: Float[Tensor, "heads token token"],
    dropout: float,
) -> Float[Tensor, "heads token d_head"]:
    """Compute scaled dot-product attention by matrix products, fast for few tokens on a CPU."""
    scale = 1 / sqrt(queries.shape[-1])
    scores = torch.baddbmm(mask, queries, keys.transpose(1, 2), alpha=scale)
    weights = F.dropout(scores.softmax(dim=-1), dropout, training=dropout > 0)
    return torch.bmm(weights, values)


def attend_fused(
    queries: Float[Tensor, "heads token d_head"],
    keys: Float[Tensor, "heads token d_head"],
    values: Float[Tensor, "heads token d_head"],
    mask: Float[Tensor, "heads token token"],
    dropout: float,
) -> Float[Tensor, "heads token d_head"]:
    """Compute scaled dot-product attention by the fused kernel, fast on an accelerator."""
    # The fused kernels need four dimensions; with three, PyTorch silently uses a slow path.
    queries, keys, values, mask = (part.unsqueeze(1) for part in (queries, keys, values, mask))
    attended = F.scaled_dot_product_attention(queries, keys, values, mask, dropout_p=dropout)
    return attended.squeeze(1)


def _plain(
    features: Tensor,
    allowed: Tensor,
    is_real: Tensor,
    weights: Sequence[Tensor],
    num_heads: int,
    dropout: float,
) -> Tensor:
    batch, length, _ = features.shape
    first_weight, first_bias, *of_layers, last_weight, last_bias = weights
    mask = allowed.masked_fill(~is_real.unsqueeze(1), -torch.inf)
    mask = mask.unsqueeze(1).expand(batch, num_heads, length, length).flatten(0, 1)
    tokens = F.linear(features, first_weight, first_bias)
    size = len(LayerWeights._fields)
    for first in range(0, len(of_layers), size):
        layer = LayerWeights(*of_layers[first : first + size])
        tokens = _plain_layer(tokens, mask, layer, num_heads, dropout)
    return F.linear(tokens, last_weight, last_bias) * is_real.unsqueeze(-1)


def _plain_layer(
    tokens: Tensor, mask: Tensor, w: LayerWeights, num_heads: int, dropout: float
) -> Tensor:
    batch, length, width = tokens.shape

    def drop(values: Tensor) -> Tensor:
        return F.dropout(values, dropout) if dropout > 0 else values

    def norm(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        # A single feature, less its own mean, would be 0 for all inputs.
        return F.layer_norm(values, (width,), weight, bias) if width > 1 else values

    projected = F.linear(tokens, w.in_proj_weight, w.in_proj_bias)
    split = projected.view(batch, length, 3, num_heads, width // num_heads)
    queries, keys, values = split.permute(2, 0, 3, 1, 4).flatten(1, 2).unbind(0)
    attend = attend_fused if tokens.is_cuda else attend_with_products
    attended = attend(queries, keys, values, mask, dropout)
    by_head = attended.view(batch, num_heads, length, width // num_heads)
    joined = by_head.transpose(1, 2).reshape(batch, length, width)
    update = F.linear(joined, w.out_proj_weight, w.out_proj_bias)
    tokens = norm(tokens + drop(update), w.norm1_weight, w.norm1_bias)
    hidden = drop(F.relu(F.linear(tokens, w.linear1_weight, w.linear1_bias)))
    update = F.linear(hidden, w.linear2_weight, w.linear2_bias)
    return norm(tokens + drop(update), w.norm2_weight, w.norm2_bias)


@lru_cache(maxsize=16)
def _fits(num_features: int, shapes: tuple[torch.Size, ...], num_heads: int) -> bool:
    """Return whether weights have consistent shapes, and map these features."""
    (width, d_in), _, *of_layers, (d_out, _), _ = shapes
    num_layers = len(of_layers) // len(LayerWeights._fields)
    # That of the hidden layer is the fifth, ``linear1_weight``.
    hidden = of_layers[4][0] if num_layers else 0
    square, vector = (width, width), (width,)
    attention = (3 * width, width), (3 * width,), square, vector
    feedforward = (hidden, width), (hidden,), (width, hidden), vector
    of_layer = (*attention, *feedforward, *[vector] * 4)
    first, last = ((width, d_in), vector), ((d_out, width), (d_out,))
    return (
        shapes == (*first, *of_layer * num_layers, *last)
        and num_features == d_in
        and width % num_heads == 0
    )


def _sizes(
    features: Tensor, allowed: Tensor, weights: Sequence[Tensor], num_heads: int
) -> ctypes.Array:
    batch, length, d_in = features.shape
    width, d_out = len(weights[0]), len(weights[-1])
    stride = 0 if len(allowed) == 1 else allowed[0].numel()
    _, _, *of_layers, _, _ = weights
    size = len(LayerWeights._fields)
    hidden = len(LayerWeights(*of_layers[:size]).linear1_weight) if of_layers else 0
    layers = len(of_layers) // size
    return sizes(batch, length, d_in, d_out, width, hidden, num_heads, layers, stride)
