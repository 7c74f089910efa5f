"""Selection of nodes by their similarity to the node marked last."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nip.scenarios.graph_isomorphism.legality import last_marks

DISTANCE_OFFSET = 1e-4
"""Added to relative distances before the logarithm, which must be finite for equal nodes."""

TINY_SPREAD = 1e-8
"""Added to the spread of the nodes, which may be zero up to rounding errors."""

INITIAL_SCALE = 0.25
"""Initial scale: an exact match starts about as probable as all other nodes together."""


class NodeSimilarity(nn.Module):
    """Adds the scaled closeness to the node marked last to the logit of each node.

    Closeness is minus the logarithm of the squared distance between the structural representations
    of two nodes, relative to the spread of all nodes of the pair. It does not depend on the scale
    of the representation, so it works with untrained networks, and the logarithm separates matches
    from near misses. The positive scale is learnt.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(INITIAL_SCALE).log())

    def forward(
        self,
        logits: Float[Tensor, "batch channel position symbol"],
        structure: Float[Tensor, "batch graph node d"],
        observation: Mapping[str, Tensor],
    ) -> Float[Tensor, "batch channel position symbol"]:
        """Return the logits, with closeness added where the last message marks a node."""
        marks = last_marks(observation["message"]).flatten(-2)
        distance = relative_distances(structure, marks, observation["node_mask"])
        closeness = -torch.log(distance + DISTANCE_OFFSET)
        has_mark = marks.any(dim=-1, keepdim=True)
        return logits + self.log_scale.exp() * closeness * has_mark


def relative_distances(
    structure: Float[Tensor, "batch graph node d"],
    marks: Bool[Tensor, "batch channel position symbol"],
    node_mask: Bool[Tensor, "batch graph node"],
) -> Float[Tensor, "batch channel position symbol"]:
    """Return squared distances to the marked node, relative to the spread of all nodes."""
    nodes = structure.flatten(1, 2)
    is_node = node_mask.flatten(1).unsqueeze(-1)
    num_nodes = is_node.sum(dim=1, keepdim=True)
    mean = nodes.sum(dim=1, keepdim=True) / num_nodes
    spread = ((nodes - mean) * is_node).square().sum(dim=(1, 2)) / num_nodes.view(-1)
    marked = torch.einsum("bcps,bsd->bcpd", marks.to(nodes.dtype), nodes)
    # Subtracting before squaring keeps the distance of equal nodes at rounding error.
    distances = (nodes[:, None, None] - marked.unsqueeze(-2)).square().sum(dim=-1)
    return distances / (spread + TINY_SPREAD).view(-1, 1, 1, 1)
