"""Generation of datasets of graph pairs with known refinement scores.

Half of the pairs are not isomorphic. Independent random graphs almost always differ in round 1 of
colour refinement, so rejection sampling would rarely find pairs that differ later. Instead, many
random graphs are hashed by their colours after each round, and graphs that agree up to some round
and differ later are paired.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int32

from nip.errors import ParameterError
from nip.scenarios.graph_isomorphism.graph_pool import GraphPool, Split
from nip.scenarios.graph_isomorphism.pair_files import PairArrays
from nip.scenarios.graph_isomorphism.refinement import NEVER_SEPARATED, refinement_scores
from nip.seeding import stable_seed
from nip.utils.memory_limit import MemoryNeed, memory_limit, problem_with_memory

SMALLEST_HARD_SIZE = 7
"""Smallest number of nodes of two graphs that first differ after round 2 of colour refinement."""

MAX_ROUNDS_DEFAULT = 5
"""Highest score of a pair, unless another is given."""

ROUNDED_ONE = 1 - 1e-9
"""Shares whose sum is at least this number count as summing to 1."""


@dataclass(frozen=True)
class GenerationParameters:
    """Parameters of the generated pairs. The defaults are those of the public datasets."""

    sizes: tuple[int, ...] = (7, 8, 9, 10, 11)
    """Numbers of nodes; both graphs of a pair have the same number."""

    edge_probabilities: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
    """Probabilities of an edge between two nodes of a random graph."""

    score_fractions: tuple[float, float] = (0.1, 0.2)
    """Shares of scores 1 and 2 among the pairs that are not isomorphic; the others score more."""

    max_rounds: int = MAX_ROUNDS_DEFAULT
    """Highest refinement score of a pair that is not isomorphic."""

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ParameterError(*problems)

    def _problems(self) -> Iterator[str]:
        if not self.sizes or len(set(self.sizes)) < len(self.sizes) or min(self.sizes) < 2:
            yield f"sizes must be different numbers of at least 2, got {_listed(self.sizes)}."
        if (
            not self.edge_probabilities
            or len(set(self.edge_probabilities)) < len(self.edge_probabilities)
            or not all(0 < probability < 1 for probability in self.edge_probabilities)
        ):
            yield (
                "edge_probabilities must be different numbers between 0 and 1, both exclusive, got "
                f"{_listed(self.edge_probabilities)}."
            )
        if not (min(self.score_fractions) >= 0 and sum(self.score_fractions) <= 2 - ROUNDED_ONE):
            yield (
                "score_fractions, the shares of scores 1 and 2, must be at least 0 and sum up to "
                f"at most 1, got {_listed(self.score_fractions)}."
            )
        if (
            self.sizes
            and min(self.sizes) < SMALLEST_HARD_SIZE
            and sum(self.score_fractions) < ROUNDED_ONE
        ):
            yield (
                f"sizes must be at least {SMALLEST_HARD_SIZE}, got {_listed(self.sizes)}: no "
                "smaller graphs score above 2. Raise them, or let score_fractions sum up to 1."
            )
        most = max(MAX_ROUNDS_DEFAULT, *self.sizes) if self.sizes else MAX_ROUNDS_DEFAULT
        if self.max_rounds > most:
            yield (
                f"max_rounds must be at most {most} with these sizes, because a score is below the "
                f"number of nodes, got {self.max_rounds}."
            )
        if self.max_rounds < 3:
            yield (
                "max_rounds must be at least 3, because pairs must be able to score above 2, got "
                f"{self.max_rounds}."
            )


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(map(str, values)) or "none"


class Quota(NamedTuple):
    """Number of pairs of each kind."""

    score_above_2: int
    """Not isomorphic, separated in round 3 or later."""

    score_2: int
    """Not isomorphic, separated in round 2."""

    score_1: int
    """Not isomorphic, different degrees."""

    isomorphic_reused: int
    """Isomorphic, from a graph of one of the pairs above."""

    isomorphic_fresh: int
    """Isomorphic, from a new graph."""


def total_quota(num_pairs: int, score_fractions: tuple[float, float]) -> Quota:
    """Divide a number of pairs between the kinds.

    ``num_pairs // 2`` are not isomorphic. Of these the share that scores 1, and the share that
    scores at most 2, are rounded down; the others score above 2. Of the isomorphic ones half,
    rounded down, reuse a graph.
    """
    num_different = num_pairs // 2
    num_same = num_pairs - num_different
    # A share such as 0.29 of 100 must give 29, although the product is 28.999999999999996.
    score_1, at_most_2 = (
        int(share * num_different + 1e-6) for share in (score_fractions[0], sum(score_fractions))
    )
    return Quota(
        score_above_2=num_different - at_most_2,
        score_2=at_most_2 - score_1,
        score_1=score_1,
        isomorphic_reused=num_same // 2,
        isomorphic_fresh=num_same - num_same // 2,
    )


def cell_quotas(total: Quota, num_cells: int) -> list[Quota]:
    """Distribute the pairs evenly over cells.

    The kinds are dealt out round-robin, each continuing at the cell where the last one stopped, so
    that the counts of each kind and of each label differ between cells by at most 1. The isomorphic
    pairs start at the first cell again, so that every cell has enough graphs to reuse.
    """
    columns = []
    position = 0
    for kind, count in zip(Quota._fields, total, strict=True):
        if kind == "isomorphic_reused":
            position = 0
        gets_one_more = (np.arange(num_cells) - position) % num_cells < count % num_cells
        columns.append(count // num_cells + gets_one_more)
        position += count
    return [Quota(*row) for row in np.stack(columns, axis=1).tolist()]


def check_num_pairs(num_pairs: int, split: Split) -> None:
    """Raise a ParameterError if a split has too few pairs for both labels."""
    if num_pairs < 2:
        raise ParameterError(
            f"The number of {split} pairs must be at least 2, one isomorphic and one not, got "
            f"{num_pairs}. Give --num-{split} 2 or more."
        )


def check_memory(counts: Mapping[Split, int], parameters: GenerationParameters) -> None:
    """Raise a ParameterError if the pairs of both splits cannot fit into memory."""
    size = max(parameters.sizes)
    options = {f"--num-{split}": count for split, count in counts.items()}
    needs = [
        # The possible edges of a graph, each with both of its ends.
        MemoryNeed("a graph", {"--sizes": size}, 8 * size * (size - 1)),
        MemoryNeed("the dataset", options, 2 * sum(counts.values()) * min(parameters.sizes) ** 2),
    ]
    if problem := problem_with_memory(needs, memory_limit()):
        raise ParameterError(problem)


def generate_pairs(
    num_pairs: int,
    split: Split,
    seed: int,
    parameters: GenerationParameters | None = None,
    progress: Callable[[int], None] | None = None,
) -> PairArrays:
    """Generate one split of a dataset.

    No graph of a test split is isomorphic to a graph of a train split, even with other seeds.

    Parameters
    ----------
    num_pairs : int
        Number of pairs, at least 2.
    seed : int
        The same seed gives the same pairs.
    progress : callable, optional
        Called repeatedly with the number of pairs generated since the last call.

    Returns
    -------
    pairs : PairArrays
        The pairs in random order, with randomly numbered nodes.

    Raises
    ------
    ParameterError
        If ``num_pairs`` is too small, or random graphs of these sizes yield too few pairs of a
        kind.
    """
    parameters = parameters or GenerationParameters()
    check_num_pairs(num_pairs, split)
    cells = list(product(parameters.sizes, parameters.edge_probabilities))
    quotas = cell_quotas(total_quota(num_pairs, parameters.score_fractions), len(cells))
    order = _generator(seed, split, "cells").permutation(len(cells))
    parts = []
    for index, quota in zip(order, quotas, strict=True):
        size, probability = cells[index]
        generator = _generator(seed, split, "cell", str(size), str(probability))
        pool = GraphPool(size, probability, split, parameters.max_rounds, generator)
        parts.append(_make_cell(pool, quota, generator))
        if progress is not None:
            progress(sum(quota))
    return _shuffled(_joined(parts), _generator(seed, split, "order"))


def _generator(seed: int, *parts: str) -> np.random.Generator:
    return np.random.default_rng(stable_seed(seed, "graph_isomorphism", *parts))


def _make_cell(pool: GraphPool, quota: Quota, generator: np.random.Generator) -> PairArrays:
    """Generate the pairs of one size and edge probability, one kind after the other."""
    # The rarest kind comes first, because each graph is used only once.
    above_2 = pool.pairs(agree_at=2, differ_at=pool.num_rounds, count=quota.score_above_2)
    score_2 = pool.pairs(agree_at=1, differ_at=2, count=quota.score_2)
    score_1 = pool.pairs(agree_at=0, differ_at=1, count=quota.score_1)
    different = pool.graphs(np.concatenate((above_2, score_2, score_1)))
    used = different.reshape(-1, pool.size, pool.size)
    reused = used[generator.choice(len(used), quota.isomorphic_reused, replace=False)]
    fresh = pool.fresh_graphs(quota.isomorphic_fresh)
    same = np.repeat(np.concatenate((reused, fresh))[:, None], 2, axis=1)
    adjacency = _renumbered(np.concatenate((different, same)), generator)
    sizes = np.full(adjacency.shape[:2], pool.size, dtype=np.int32)
    scores = np.full(len(adjacency), NEVER_SEPARATED, dtype=np.int32)
    is_different = np.arange(len(adjacency)) < len(different)
    scores[is_different] = refinement_scores(adjacency[is_different], sizes[is_different])
    _check_scores(scores[is_different], quota, pool.num_rounds)
    return PairArrays(adjacency, sizes, scores)


def _check_scores(scores: Int32[np.ndarray, " pair"], quota: Quota, max_rounds: int) -> None:
    """Check that the exact scores agree with those found by hashes."""
    expected = np.repeat((3, 2, 1), (quota.score_above_2, quota.score_2, quota.score_1))
    as_expected = np.array_equal(np.minimum(scores, 3), expected) and (scores <= max_rounds).all()
    assert as_expected, "two graphs collided in a 64-bit hash: try another seed"


def _renumbered(
    adjacency: Bool[np.ndarray, "pair 2 node node"], generator: np.random.Generator
) -> Bool[np.ndarray, "pair 2 node node"]:
    """Permute the nodes of each graph at random."""
    num_pairs, _, size, _ = adjacency.shape
    identity = np.broadcast_to(np.arange(size), (num_pairs, 2, size))
    new = generator.permuted(identity, axis=-1)
    return np.take_along_axis(
        np.take_along_axis(adjacency, new[..., None], axis=2), new[:, :, None, :], axis=3
    )


def _joined(parts: list[PairArrays]) -> PairArrays:
    """Concatenate cells, padded to the largest graphs."""
    num_nodes = max(part.adjacency.shape[-1] for part in parts)
    padded = []
    for part in parts:
        missing = num_nodes - part.adjacency.shape[-1]
        padded.append(np.pad(part.adjacency, ((0, 0), (0, 0), (0, missing), (0, missing))))
    return PairArrays(
        adjacency=np.concatenate(padded),
        sizes=np.concatenate([part.sizes for part in parts]),
        wl_scores=np.concatenate([part.wl_scores for part in parts]),
    )


def _shuffled(pairs: PairArrays, generator: np.random.Generator) -> PairArrays:
    order = generator.permutation(len(pairs))
    return PairArrays(pairs.adjacency[order], pairs.sizes[order], pairs.wl_scores[order])
