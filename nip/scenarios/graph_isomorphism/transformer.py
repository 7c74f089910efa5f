"""A transformer encoder for short sequences of narrow tokens.

It computes the same function as :class:`torch.nn.TransformerEncoder` (post-norm, ReLU) and has the
same parameter names.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nip.native.transformer import LayerWeights, transformer_encoder
from nip.scenario_base.networks import weight_and_bias


class SelfAttention(nn.Module):
    """Parameters of multi-head self-attention. The number of heads must divide the width."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)


class TransformerLayer(nn.Module):
    """Parameters of self-attention and a feed-forward part, each added to its input and normalised.

    Tokens of a single feature are not normalised.
    """

    def __init__(self, d_model: int, d_feedforward: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(d_model)
        self.linear1 = nn.Linear(d_model, d_feedforward)
        self.linear2 = nn.Linear(d_feedforward, d_model)
        self.norm1, self.norm2 = _layer_norm(d_model), _layer_norm(d_model)

    def forward(self) -> LayerWeights:
        """Return all parameters; those of a norm that is left out are empty."""
        # Attributes of modules are found slowly.
        parts: list[Any] = [*self._modules.values()]
        attention, linear1, linear2, *norms = parts
        tensors = [attention._parameters[name] for name in ("in_proj_weight", "in_proj_bias")]
        for layer in (attention._modules["out_proj"], linear1, linear2):
            tensors += weight_and_bias(layer)
        for norm in norms:
            is_left_out = type(norm) is nn.Identity
            tensors += [tensors[0].new_empty(0)] * 2 if is_left_out else weight_and_bias(norm)
        return LayerWeights(*tensors)


def _layer_norm(width: int) -> nn.Module:
    """Return a layer norm; a single feature, less its own mean, would be 0 for all inputs."""
    return nn.LayerNorm(width) if width > 1 else nn.Identity()


class TransformerEncoder(nn.Module):
    """A stack of transformer layers between two linear maps, which are computed together."""

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
        self.dropout = dropout
        self.layers = nn.ModuleList(
            TransformerLayer(d_model, d_feedforward) for _ in range(num_layers)
        )

    def forward(
        self,
        features: Float[Tensor, "batch token d_in"],
        allowed: Float[Tensor, "any token token"],
        is_real: Bool[Tensor, "batch token"],
        first: nn.Linear,
        last: nn.Linear,
    ) -> Float[Tensor, "batch token d_out"]:
        """Transform the tokens; padding, where ``is_real`` is false, becomes zeros.

        Parameters
        ----------
        allowed : Tensor
            A mask like that of ``make_attention_mask``, for each sequence or for all. Every row
            must allow at least one real token.
        first, last : nn.Linear
            Maps from the features to the width of the layers, and from there to the output.
        """
        return transformer_encoder(
            features,
            allowed,
            is_real,
            [
                *weight_and_bias(first),
                *(each for layer in self.layers for each in layer()),
                *weight_and_bias(last),
            ],
            num_heads=self.num_heads,
            dropout=self.dropout if self.training else 0.0,
        )
