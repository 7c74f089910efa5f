"""A transformer encoder for short sequences of narrow tokens.

It computes the same function as :class:`torch.nn.TransformerEncoder` (post-norm, ReLU) and has the
same parameter names. For about twenty tokens with a few dimensions per head, PyTorch's attention
kernels are dominated by overhead: on a CPU, plain matrix products take about 0.6 of their time for
forward and backward pass.
"""

from math import sqrt

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


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


class SelfAttention(nn.Module):
    """Multi-head self-attention under an additive mask, with dropout of the attention weights.

    The number of heads must divide the width of a token.
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        tokens: Float[Tensor, "batch token d_model"],
        mask: Float[Tensor, "heads token token"],
    ) -> Float[Tensor, "batch token d_model"]:
        """Attend from every token to the tokens where its row of the mask is 0.

        The leading dimension of the mask is batch times heads, heads fastest.
        """
        batch, length, d_model = tokens.shape
        projected = F.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        d_head = d_model // self.num_heads
        split = projected.view(batch, length, 3, self.num_heads, d_head)
        queries, keys, values = split.permute(2, 0, 3, 1, 4).flatten(1, 2).unbind(0)
        dropout = self.dropout if self.training else 0.0
        attend = attend_fused if tokens.is_cuda else attend_with_products
        attended = attend(queries, keys, values, mask, dropout)
        by_head = attended.view(batch, self.num_heads, length, d_head)
        return self.out_proj(by_head.transpose(1, 2).reshape(batch, length, d_model))


def _layer_norm(width: int) -> nn.Module:
    """Return a layer norm; a single feature, less its own mean, would be 0 for all inputs."""
    return nn.LayerNorm(width) if width > 1 else nn.Identity()


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward part, each added to its input and normalised.

    Tokens of a single feature are not normalised.

    Dropout is applied as in :class:`torch.nn.TransformerEncoderLayer`.
    """

    def __init__(
        self, d_model: int, d_feedforward: int, *, num_heads: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.self_attn = SelfAttention(d_model, num_heads, dropout)
        self.linear1 = nn.Linear(d_model, d_feedforward)
        self.linear2 = nn.Linear(d_feedforward, d_model)
        self.norm1, self.norm2 = _layer_norm(d_model), _layer_norm(d_model)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()

    def forward(
        self,
        tokens: Float[Tensor, "batch token d_model"],
        mask: Float[Tensor, "heads token token"],
    ) -> Float[Tensor, "batch token d_model"]:
        """Transform the tokens."""
        tokens = self.norm1(tokens + self.dropout(self.self_attn(tokens, mask)))
        hidden = self.dropout(F.relu(self.linear1(tokens)))
        return self.norm2(tokens + self.dropout(self.linear2(hidden)))


class TransformerEncoder(nn.Module):
    """A stack of transformer layers."""

    def __init__(
        self,
        d_model: int,
        d_feedforward: int,
        *,
        num_layers: int,
        num_heads: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.layers = nn.ModuleList(
            TransformerLayer(d_model, d_feedforward, num_heads=num_heads, dropout=dropout)
            for _ in range(num_layers)
        )

    def forward(
        self,
        tokens: Float[Tensor, "batch token d_model"],
        allowed: Float[Tensor, "batch token token"],
    ) -> Float[Tensor, "batch token d_model"]:
        """Transform the tokens, under an additive mask like that of ``make_attention_mask``.

        Every row must allow at least one token.
        """
        batch, length, _ = tokens.shape
        mask = allowed.unsqueeze(1).expand(batch, self.num_heads, length, length).flatten(0, 1)
        for layer in self.layers:
            tokens = layer(tokens, mask)
        return tokens
