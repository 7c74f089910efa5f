"""Graph isomorphism network for batches of dense graph pairs."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor, nn

from nip.native.gin import graph_isomorphism_network
from nip.scenario_base.networks import build_mlp, weight_and_bias


class Gin(nn.Module):
    """Graph isomorphism network (Xu et al., 2019, equation 4.1) for dense adjacency matrices.

    A linear map of the node features is followed by layers of activation, sum over the node and
    its neighbours, and two-layer perceptron. Further streams apply the same weights to other
    features; by default these are all zero, so that the stream depends on the graphs alone. While
    all biases are zero, as after orthogonal initialisation, such a stream is exactly zero.

    Parameters
    ----------
    d_mlp : int
        Hidden width of the perceptron in each layer.
    num_layers : int
        Number of layers: the distance up to which nodes affect each other.
    num_streams : int
        Number of streams, each with features of its own.
    eps : float
        Weight of a node in the sum, beyond that of a neighbour. With 0, adjacent nodes with the
        same neighbours have the same sums, even if one of them is marked.
    """

    eps: Tensor

    def __init__(
        self,
        d_features: int,
        d_hidden: int,
        d_mlp: int,
        *,
        num_layers: int,
        activation: str,
        num_streams: int = 1,
        eps: float = 0.0,
    ) -> None:
        super().__init__()
        self.d_hidden = d_hidden
        self.num_streams = num_streams
        self.input_layer = nn.Linear(d_features, d_hidden)
        self.activation = activation
        self.mlps = nn.ModuleList(
            build_mlp(d_hidden, d_mlp, d_hidden, num_layers=2, activation=activation)
            for _ in range(num_layers)
        )
        self.register_buffer("eps", torch.tensor(float(eps)))

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Load weights, but keep ``eps``, which the hyper-parameters determine."""
        state_dict[f"{prefix}eps"] = self.eps
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    @property
    def d_out(self) -> int:
        """Width of the output, which concatenates the streams."""
        return self.num_streams * self.d_hidden

    def forward(
        self,
        features: Float[Tensor, "batch graph node feature"],
        adjacency: Num[Tensor, "batch graph node node"],
        node_mask: Bool[Tensor, "batch graph node"],
        *other_features: Float[Tensor, "batch graph node feature"],
    ) -> Float[Tensor, "batch graph node d_out"]:
        """Represent every node; padding becomes zeros.

        ``other_features`` are those of the second and further streams. Streams without features see
        zeros.
        """
        batch, graphs = features.shape[:2]
        if other_features:
            features = torch.cat((features, *other_features), dim=-1)
        nodes = graph_isomorphism_network(
            features.flatten(0, 1).contiguous(),
            self._neighbourhood(adjacency, features.dtype),
            node_mask.flatten(0, 1),
            self._weights(),
            activation=self.activation,
            num_streams=self.num_streams,
        )
        return nodes.unflatten(0, (batch, graphs))

    def _weights(self) -> list[Tensor]:
        """Return weight and bias of the input layer, and of both maps of each further one."""
        of_layers = (layer for mlp in self.mlps for layer in [*mlp.children()][::2])
        return [
            tensor for layer in (self.input_layer, *of_layers) for tensor in weight_and_bias(layer)
        ]

    def _neighbourhood(self, adjacency: Tensor, dtype: torch.dtype) -> Tensor:
        """Return A + (1 + eps) I, which sums a node and its neighbours."""
        matrix = adjacency.flatten(0, 1).to(dtype, copy=True)
        matrix.diagonal(dim1=-2, dim2=-1).add_(1 + self.eps)
        return matrix
