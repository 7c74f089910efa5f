"""Colour refinement (the one-dimensional Weisfeiler-Leman test) of batches of graphs.

All nodes start with the same colour. In each round a node's new colour is its old one together with
the multiset of its neighbours' colours, so after round 1 the colours are the degrees. The *score*
of a pair of graphs is the first round in which their colour multisets differ: the smallest number
of layers of a graph network that can distinguish the two.
"""

import numpy as np
from jaxtyping import Bool, Int, Int32, UInt64

NEVER_SEPARATED = -1
"""Score of a pair that no round separates: isomorphic, or equivalent under colour refinement."""


def refinement_scores(
    adjacency: Bool[np.ndarray, "pair 2 node node"],
    sizes: Int[np.ndarray, "pair 2"],
    max_rounds: int | None = None,
) -> Int32[np.ndarray, " pair"]:
    """Compute for each pair the first round of colour refinement that separates its graphs.

    Colours are consecutive integers, found by sorting: no hashing, so the result is exact.

    Parameters
    ----------
    adjacency : array of shape (pair, 2, node, node)
        Symmetric adjacency matrices, zero beyond the size of each graph.
    max_rounds : int, optional
        Maximum number of rounds; default: the number of nodes, which always suffices.

    Returns
    -------
    scores : array of shape (pair,)
        The round, counted from 1, or -1 for pairs that no round separates.
    """
    num_pairs, _, num_nodes, _ = adjacency.shape
    scores = np.full(num_pairs, NEVER_SEPARATED, dtype=np.int32)
    undecided = np.arange(num_pairs)
    is_node = np.arange(num_nodes) < sizes[..., None]
    colours = is_node.astype(np.int64)
    num_colours = np.zeros(num_pairs, dtype=np.int64)
    # The graphs of a pair not yet separated have the same colours, at most one per node, and every
    # round but the last adds at least one.
    for round_number in range(1, (num_nodes if max_rounds is None else max_rounds) + 1):
        colours = _refine(colours, adjacency[undecided], is_node[undecided])
        multisets = np.sort(colours, axis=-1)
        differ = (multisets[:, 0] != multisets[:, 1]).any(axis=-1)
        scores[undecided[differ]] = round_number
        old_num_colours = num_colours
        num_colours = 1 + (np.diff(multisets[:, 0], axis=-1) != 0).sum(axis=-1)
        continues = ~differ & (num_colours > old_num_colours)
        undecided, colours = undecided[continues], colours[continues]
        num_colours = num_colours[continues]
        if not len(undecided):
            break
    return scores


def _refine(
    colours: Int[np.ndarray, "pair 2 node"],
    adjacency: Bool[np.ndarray, "pair 2 node node"],
    is_node: Bool[np.ndarray, "pair 2 node"],
) -> Int[np.ndarray, "pair 2 node"]:
    """Refine colours by the multisets of the neighbours' colours; 0 is padding."""
    around = np.sort(np.where(adjacency, colours[..., None, :], 0), axis=-1)
    signatures = np.concatenate((colours[..., None], around), axis=-1)
    ids = _ids_of_rows(signatures.reshape(-1, signatures.shape[-1])).reshape(colours.shape)
    return np.where(is_node, ids + 1, 0)


def _ids_of_rows(rows: Int[np.ndarray, "row column"]) -> Int[np.ndarray, " row"]:
    """Assign an id, counted from 0, to each row of a table; equal rows share one."""
    order = np.lexsort(rows.T)
    is_new = (np.diff(rows[order], axis=0) != 0).any(axis=-1)
    ids = np.empty(len(rows), dtype=np.int64)
    ids[order] = np.concatenate(([0], np.cumsum(is_new)))
    return ids


def refinement_hashes(
    adjacency: Bool[np.ndarray, "graph node node"], num_rounds: int
) -> UInt64[np.ndarray, "round graph"]:
    """Hash the colour multiset of every graph after each round; row ``r - 1`` is round ``r``.

    Graphs with equal multisets have equal hashes, on every machine. Graphs with different multisets
    collide with a probability of about 1e-19, so scores of pairs found by hashes are to be checked
    with ``refinement_scores``. The adjacency matrices are symmetric.
    """
    neighbours = adjacency.astype(np.uint64)
    colours = np.ones(adjacency.shape[:2], dtype=np.uint64)
    hashes = np.empty((num_rounds, len(adjacency)), dtype=np.uint64)
    for round_index in range(num_rounds):
        # A sum does not depend on the order of the nodes, so it hashes a multiset.
        around = np.einsum("gij,gj->gi", neighbours, mix_bits(colours ^ _NEIGHBOUR))
        colours = mix_bits(colours * _ODD + around)
        hashes[round_index] = mix_bits(colours).sum(axis=1, dtype=np.uint64)
    return hashes


_ODD = np.uint64(0x9E3779B97F4A7C15)
_NEIGHBOUR = np.uint64(0xD1B54A32D192ED03)


def mix_bits(values: UInt64[np.ndarray, "*shape"]) -> UInt64[np.ndarray, "*shape"]:
    """Mix the bits of 64-bit numbers, injectively (SplitMix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
