"""Loading of graph pairs as tensors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int, Int32
from torch import Tensor

from nip.scenarios.graph_isomorphism.pair_files import available_splits, read_split
from nip.scenarios.graph_isomorphism.refinement import NEVER_SEPARATED


@dataclass(frozen=True)
class GraphPairs:
    """Pairs of graphs, padded to the largest graph of the whole dataset."""

    adjacency: Int32[Tensor, "pair 2 node node"]
    """Symmetric adjacency matrices with a zero diagonal."""

    node_mask: Bool[Tensor, "pair 2 node"]
    """True for nodes, which come first, and false for padding."""

    y: Int[Tensor, " pair"]
    """1 if the graphs are isomorphic, else 0."""

    wl_scores: Int[Tensor, " pair"]
    """First round of colour refinement that separates the pair, -1 if it is isomorphic."""

    @property
    def message_shape(self) -> tuple[int, int]:
        """Shape of the grid of symbols: a message names a graph and one of its nodes."""
        return (2, self.adjacency.shape[-1])

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.y)


def load_pairs(folder: Path | str, split: str) -> GraphPairs:
    """Load one split of a dataset, in the package's format or the public one.

    Both splits are read, so that their graphs are padded to the same size and their messages have
    the same shape. The other split may be missing.

    Parameters
    ----------
    folder : Path or str
        Folder of the dataset, which contains ``raw``.

    Raises
    ------
    DatasetError
        If this split is missing, or a file cannot be read or is inconsistent.
    """
    folder = Path(folder)
    pairs = read_split(folder, split)
    others = [read_split(folder, other) for other in available_splits(folder) if other != split]
    num_nodes = max(part.adjacency.shape[-1] for part in (pairs, *others))
    missing = num_nodes - pairs.adjacency.shape[-1]
    adjacency = np.pad(pairs.adjacency, ((0, 0), (0, 0), (0, missing), (0, missing)))
    scores = torch.from_numpy(pairs.wl_scores)
    return GraphPairs(
        adjacency=torch.from_numpy(adjacency.astype(np.int32)),
        node_mask=torch.from_numpy(np.arange(num_nodes) < pairs.sizes[..., None]),
        y=(scores == NEVER_SEPARATED).long(),
        wl_scores=scores,
    )
