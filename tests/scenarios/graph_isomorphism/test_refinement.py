"""Scores agree with a formula, hand-made graphs, a published file and a slow oracle."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.scenarios.graph_isomorphism.pair_files import read_split
from nip.scenarios.graph_isomorphism.refinement import (
    mix_bits,
    refinement_hashes,
    refinement_scores,
)
from tests.scenarios.graph_isomorphism.graphs import (
    batch,
    cycle,
    graph,
    path,
    renumber,
    spider,
    union,
)


def test_a_longer_and_a_shorter_path_differ_when_a_node_can_see_both_ends_of_the_shortest() -> None:
    # Round r shows a node what is less than r steps away. Ends look the same everywhere, so
    # P(k) + P(k+3) and P(k+1) + P(k+2) differ once the middle of P(k) sees both of its ends:
    # after k // 2 + 1 rounds.
    lengths = range(1, 12)
    pairs = [(union(path(k), path(k + 3)), union(path(k + 1), path(k + 2))) for k in lengths]
    assert refinement_scores(*batch(*pairs)).tolist() == [k // 2 + 1 for k in lengths]


def test_graphs_that_differ_in_their_degrees_score_1() -> None:
    star = graph(4, (0, 1), (0, 2), (0, 3))
    assert refinement_scores(*batch((path(4), star))).tolist() == [1]


def test_graphs_whose_degrees_agree_but_not_those_of_the_neighbours_score_2() -> None:
    # The node of degree 3 has neighbours of degrees 1, 1, 2; 1, 2, 2; 2, 2, 2.
    spiders = spider(1, 1, 4), spider(1, 2, 3), spider(2, 2, 2)
    pairs = [(spiders[0], spiders[1]), (spiders[1], spiders[2]), (spiders[2], spiders[0])]
    assert refinement_scores(*batch(*pairs)).tolist() == [2, 2, 2]


def test_regular_graphs_of_one_degree_are_never_separated() -> None:
    assert refinement_scores(*batch((cycle(6), union(cycle(3), cycle(3))))).tolist() == [-1]


def test_graphs_of_different_sizes_score_1_whatever_the_padding() -> None:
    assert refinement_scores(*batch((cycle(5), cycle(6)), (cycle(9), cycle(9)))).tolist() == [1, -1]


def test_a_pair_that_needs_more_rounds_than_allowed_is_not_separated() -> None:
    pair = union(path(4), path(7)), union(path(5), path(6))
    assert refinement_scores(*batch(pair), max_rounds=2).tolist() == [-1]
    assert refinement_scores(*batch(pair), max_rounds=3).tolist() == [3]


def test_all_stored_scores_of_the_published_dataset_are_reproduced(repository: Path) -> None:
    folder = repository.parent / "shared" / "data" / "graph_isomorphism" / "er1000"
    if not folder.is_dir():
        pytest.skip(f"the published dataset er1000 is not at {folder}")
    pairs = read_split(folder, "train")
    scores = refinement_scores(pairs.adjacency, pairs.sizes)
    assert len(scores) == 1000
    np.testing.assert_array_equal(scores, pairs.wl_scores)


def oracle(first: np.ndarray, second: np.ndarray) -> int:
    """Refine by nested tuples: a colour is the whole tree that a node has seen."""
    colours: list[list] = [[()] * len(first), [()] * len(second)]
    for round_number in range(1, max(len(first), len(second)) + 1):
        colours = [
            [
                (own, tuple(sorted(colour for colour, near in zip(old, row, strict=True) if near)))
                for own, row in zip(old, matrix, strict=True)
            ]
            for matrix, old in zip((first, second), colours, strict=True)
        ]
        if Counter(colours[0]) != Counter(colours[1]):
            return round_number
    return -1


@st.composite
def graphs(draw: st.DrawFn, num_nodes: int = 6) -> np.ndarray:
    possible = [(i, j) for i in range(num_nodes) for j in range(i)]
    return graph(num_nodes, *draw(st.lists(st.sampled_from(possible), unique=True)))


@given(graphs(), graphs(), st.permutations(range(6)))
def test_scores_agree_with_a_slow_oracle_and_do_not_depend_on_order(
    first: np.ndarray, second: np.ndarray, order: list[int]
) -> None:
    pairs = (first, second), (second, first), (first, renumber(second, order))
    assert refinement_scores(*batch(*pairs)).tolist() == [oracle(first, second)] * 3
    assert refinement_scores(*batch((first, renumber(first, order)))).tolist() == [-1]


@given(st.lists(st.tuples(graphs(), graphs()), min_size=2, max_size=5))
def test_the_score_of_a_pair_does_not_depend_on_the_batch(pairs: list) -> None:
    alone = [int(refinement_scores(*batch(pair))[0]) for pair in pairs]
    assert refinement_scores(*batch(*pairs)).tolist() == alone


@given(graphs(), graphs())
def test_hashes_first_differ_in_the_round_that_is_the_score(
    first: np.ndarray, second: np.ndarray
) -> None:
    hashes = refinement_hashes(np.stack((first, second)), 6)
    differing = np.flatnonzero(hashes[:, 0] != hashes[:, 1])
    assert (differing[0] + 1 if len(differing) else -1) == oracle(first, second)


def test_bits_are_mixed_as_by_splitmix64() -> None:
    # The first outputs of the published generator with seed 0; its state grows by this step.
    step = np.uint64(0x9E3779B97F4A7C15)
    states = np.array([1, 2, 3], dtype=np.uint64) * step
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert mix_bits(states).tolist() == expected
