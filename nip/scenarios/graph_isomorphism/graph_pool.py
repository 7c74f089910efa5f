"""Growing pool of random graphs from which pairs of a required refinement score are drawn."""

from math import ceil
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int, Integer, UInt64

from nip.errors import ParameterError
from nip.scenarios.graph_isomorphism.refinement import mix_bits, refinement_hashes

Split = Literal["train", "test"]
"""Splits of a dataset."""

FIRST_DRAW = 8192
"""Number of graphs drawn at first; a pool that is too small is doubled."""

MAX_POOL_BYTES = 2**27
"""Maximum size of a pool, counting all graphs drawn, of which about half are kept."""

FAIR_CANDIDATES = 1.25
"""Number of candidates drawn for each requested pair. If more than a fifth are rejected because a
graph is already used, graphs with many partners would be under-represented, so the pool grows."""

LAST_CANDIDATES = 20
"""The same for the largest pool, which cannot grow, so this bias is accepted."""

SPLIT_ROUND = 2
"""Graphs that agree up to this round are in the same split, so that they can form pairs."""

SPLIT_SALT = np.uint64(2929)
"""Found by search: for every default size and edge probability, each split gets between 39 and
61 % of the random graphs and of their pairs that score above 2."""


def is_for_test(hashes: UInt64[np.ndarray, "round graph"]) -> Bool[np.ndarray, " graph"]:
    """Return whether graphs belong to test splits instead of train splits, by their hashes."""
    return (mix_bits(hashes[SPLIT_ROUND - 1] ^ SPLIT_SALT) >> np.uint64(63)).astype(bool)


class GraphPool:
    """Random graphs of one size and edge probability, with their refinement hashes.

    Parameters
    ----------
    num_rounds : int
        Number of rounds of colour refinement to hash.
    """

    def __init__(
        self,
        size: int,
        edge_probability: float,
        split: Split,
        num_rounds: int,
        generator: np.random.Generator,
    ) -> None:
        self.size = size
        self.edge_probability = edge_probability
        self.split = split
        self._generator = generator
        self._ends = np.triu_indices(size, k=1)
        self._edges = np.empty((0, len(self._ends[0])), dtype=bool)
        self._hashes = np.empty((num_rounds, 0), dtype=np.uint64)
        self._is_used = np.empty(0, dtype=bool)
        self._num_drawn = 0

    @property
    def num_rounds(self) -> int:
        """Number of rounds of colour refinement that are hashed."""
        return len(self._hashes)

    @property
    def _is_full(self) -> bool:
        return self._num_drawn * (self._edges.shape[1] + 8 * self.num_rounds) >= MAX_POOL_BYTES

    def __len__(self) -> int:
        """Return the number of graphs."""
        return len(self._edges)

    def graphs(self, indices: Int[np.ndarray, "*some"]) -> Bool[np.ndarray, "*some node node"]:
        """Return the adjacency matrices of some of the graphs."""
        return self._adjacency(self._edges[indices])

    def pairs(self, agree_at: int, differ_at: int, count: int) -> Int[np.ndarray, "pair 2"]:
        """Draw pairs of graphs that agree after one round and differ after another.

        All such pairs are about equally likely, but no graph is used twice.

        Parameters
        ----------
        agree_at : int
            Last round after which the two agree; all graphs agree after round 0.

        Returns
        -------
        indices : array of shape (pair, 2)
            Indices of the graphs, for :meth:`graphs`.

        Raises
        ------
        ParameterError
            If the largest pool does not contain enough of them.
        """
        while len(indices := self._try_pairs(agree_at, differ_at, count)) < count:
            self._grow_for(
                f"{count} pairs that differ after round {agree_at}, and by round {differ_at}, of "
                f"colour refinement"
            )
        self._is_used[indices] = True
        return indices

    def fresh_graphs(self, count: int) -> Bool[np.ndarray, "graph node node"]:
        """Draw graphs of the same kind, independent of the pool."""
        fresh = GraphPool(
            self.size, self.edge_probability, self.split, SPLIT_ROUND, self._generator
        )
        while len(fresh) < count:
            fresh._grow_for(f"{count} graphs")
        return fresh.graphs(np.arange(count))

    def _grow_for(self, purpose: str) -> None:
        if self._is_full:
            raise ParameterError(
                f"{self._num_drawn} random graphs with {self.size} nodes and edge probability "
                f"{self.edge_probability} do not contain {purpose} for the {self.split} split. "
                "Request fewer pairs, other sizes or edge probabilities, or other shares of the "
                "scores."
            )
        self._grow()

    def _grow(self) -> None:
        """Double the number of graphs drawn, keeping those of the split."""
        edges, hashes = [self._edges], [self._hashes]
        num_draws = max(FIRST_DRAW, self._num_drawn)
        # In slices, because hashing needs eight bytes for each entry of an adjacency matrix.
        num_per_slice = max(1, 2**22 // self.size**2)
        for start in range(0, num_draws, num_per_slice):
            shape = (min(num_per_slice, num_draws - start), self._edges.shape[1])
            drawn = self._generator.random(shape) < self.edge_probability
            drawn_hashes = refinement_hashes(self._adjacency(drawn), len(self._hashes))
            is_ours = is_for_test(drawn_hashes) == (self.split == "test")
            edges.append(drawn[is_ours])
            hashes.append(drawn_hashes[:, is_ours])
        self._num_drawn += num_draws
        self._edges = np.concatenate(edges)
        self._hashes = np.concatenate(hashes, axis=1)
        self._is_used = np.pad(self._is_used, (0, len(self._edges) - len(self._is_used)))

    def _adjacency(
        self, edges: Bool[np.ndarray, "*some edge"]
    ) -> Bool[np.ndarray, "*some node node"]:
        adjacency = np.zeros((*edges.shape[:-1], self.size, self.size), dtype=bool)
        adjacency[..., self._ends[0], self._ends[1]] = edges
        return adjacency | adjacency.swapaxes(-1, -2)

    def _try_pairs(self, agree_at: int, differ_at: int, count: int) -> Int[np.ndarray, "pair 2"]:
        """Draw as many pairs as requested, or fewer if the pool is too small."""
        unused = np.flatnonzero(~self._is_used)
        agreeing = self._hashes[agree_at - 1, unused] if agree_at else np.zeros_like(unused)
        differing = self._hashes[differ_at - 1, unused]
        # After sorting, graphs that agree are contiguous, and among these those that do not differ.
        # The partners of a graph are the first range without the second.
        order = np.lexsort((differing, agreeing))
        agree_start, agree_length = _equal_ranges(agreeing[order])
        same_start, same_length = _equal_ranges(agreeing[order], differing[order])
        num_partners = agree_length - same_length
        ends = np.cumsum(num_partners)
        if not count or not len(ends) or not ends[-1]:
            return np.empty((0, 2), dtype=np.int64)
        num_candidates = ceil(count * (LAST_CANDIDATES if self._is_full else FAIR_CANDIDATES))
        drawn = self._generator.integers(ends[-1], size=num_candidates)
        first = np.searchsorted(ends, drawn, side="right")
        second = agree_start[first] + self._generator.integers(num_partners[first])
        second += np.where(second >= same_start[first], same_length[first], 0)
        return _disjoint(unused[order[np.stack((first, second), axis=1)]], count)


def _equal_ranges(
    *sorted_keys: Integer[np.ndarray, " graph"],
) -> tuple[Int[np.ndarray, " graph"], Int[np.ndarray, " graph"]]:
    """Return, for each row of a sorted table, start and length of its range of equal keys."""
    is_start = np.ones(len(sorted_keys[0]), dtype=bool)
    is_start[1:] = np.any([key[1:] != key[:-1] for key in sorted_keys], axis=0)
    starts = np.flatnonzero(is_start)
    lengths = np.diff(starts, append=len(is_start))
    return np.repeat(starts, lengths), np.repeat(lengths, lengths)


def _disjoint(candidates: Int[np.ndarray, "candidate 2"], count: int) -> Int[np.ndarray, "pair 2"]:
    """Return the first pairs that share no graph with an earlier one."""
    seen: set[int] = set()
    kept: list[tuple[int, int]] = []
    for first, second in candidates.tolist():
        if len(kept) == count:
            break
        if first not in seen and second not in seen:
            seen.update((first, second))
            kept.append((first, second))
    return np.array(kept, dtype=np.int64).reshape(-1, 2)
