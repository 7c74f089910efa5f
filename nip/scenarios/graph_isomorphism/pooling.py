"""Pooling of the nodes of a pair of graphs into one vector for each graph."""

import ctypes
from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nip.native.kernels import kernels_for
from nip.native.pooling import PairTokens
from nip.scenarios.graph_isomorphism.batch_norm import StableBatchNorm1d

LOG_OFFSET = 1e-4
"""Added to a difference before the logarithm, which must be finite for equal graphs."""

LOG_DIVISOR = 5.0
"""Scales the logarithm of a difference to about 1."""


class PairPooling(nn.Module):
    """Sums over nodes, normalises, adds noise, and compares the two graphs of a pair.

    Parameters
    ----------
    noise_sigma : float
        Standard deviation, relative to each entry, of the noise added in training. Both graphs
        get the same noise, so that equal graphs stay equal.
    use_pair_invariant_pooling : bool
        Whether to replace the two vectors by their mean and half their absolute difference.
    pair_difference_scale : str
        ``"log"`` puts half the absolute difference on a logarithmic scale. Differences between
        graphs span many orders of magnitude; on a linear scale the smallest are lost.
    """

    def __init__(
        self,
        d_node: int,
        *,
        use_batch_norm: bool,
        noise_sigma: float = 0.0,
        use_pair_invariant_pooling: bool = True,
        pair_difference_scale: Literal["linear", "log"] = "linear",
    ) -> None:
        super().__init__()
        self.batch_norm = StableBatchNorm1d(d_node) if use_batch_norm else None
        self.noise_sigma = noise_sigma
        self.use_pair_invariant_pooling = use_pair_invariant_pooling
        self.pair_difference_scale = pair_difference_scale

    def tokens(
        self,
        nodes: Float[Tensor, "batch graph node d_node"],
        extras: Sequence[Float[Tensor, "batch token _"]],
        row_mask: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch token feature"]:
        """Return the vectors of ``forward`` and those of all nodes, with further features behind.

        Parameters
        ----------
        extras : sequence of Tensor
            Features of each token without gradients: of the pooled vectors, then of the nodes.
        """
        library = self._kernels(nodes, row_mask)
        if library is None:
            pooled = self(nodes, row_mask)
            tokens = torch.cat((pooled, nodes.flatten(1, 2)), dim=1)
            return torch.cat((tokens, *extras), dim=-1)
        norm = self.batch_norm
        assert norm is not None
        function = PairTokens(
            norm.eps,
            self.pair_difference_scale if self.use_pair_invariant_pooling else "none",
            LOG_OFFSET,
            LOG_DIVISOR,
            partial(norm.track, num_rows=nodes.shape[0] * nodes.shape[1]),
        )
        return function(library, nodes, torch.cat(tuple(extras), dim=-1), norm.weight, norm.bias)

    def _kernels(self, nodes: Tensor, row_mask: Tensor | None) -> ctypes.CDLL | None:
        """Return the kernels if they can compute the tokens."""
        norm = self.batch_norm
        # Outside of training the statistics are those of earlier batches.
        if norm is None or not self.training or self.noise_sigma > 0:
            return None
        if row_mask is not None or len(nodes) == 0:
            return None
        return kernels_for((nodes, norm.weight, norm.bias))

    def forward(
        self,
        nodes: Float[Tensor, "batch graph node d_node"],
        row_mask: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch pair d_node"]:
        """Return one vector for each graph, or their mean and their difference.

        The statistics for the normalisation are those of the rows of ``row_mask``; None: of all.
        """
        pooled = nodes.sum(dim=-2)
        if self.batch_norm is not None:
            if row_mask is not None:
                row_mask = row_mask.unsqueeze(-1).expand(pooled.shape[:2]).flatten()
            pooled = self.batch_norm(pooled.flatten(0, 1), row_mask).view_as(pooled)
        if self.training and self.noise_sigma > 0:
            noise = torch.randn_like(pooled[:, :1])
            pooled = pooled + self.noise_sigma * pooled * noise
        if not self.use_pair_invariant_pooling:
            return pooled
        first, second = pooled.unbind(dim=1)
        if self.pair_difference_scale == "linear":
            return torch.stack((first + second, (first - second).abs()), dim=1) / 2
        difference = (first - second).abs() / 2
        difference = torch.log(difference + LOG_OFFSET) / LOG_DIVISOR
        return torch.stack(((first + second) / 2, difference), dim=1)
