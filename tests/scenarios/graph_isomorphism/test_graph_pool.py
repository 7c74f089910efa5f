"""Pools of random graphs, and the pairs drawn from them."""

import numpy as np
import pytest

from nip.errors import ParameterError
from nip.scenarios.graph_isomorphism import graph_pool
from nip.scenarios.graph_isomorphism.graph_pool import GraphPool, Split
from nip.scenarios.graph_isomorphism.refinement import refinement_hashes, refinement_scores


def make_pool(
    size: int = 8, edge_probability: float = 0.4, split: Split = "train", seed: int = 0
) -> GraphPool:
    return GraphPool(size, edge_probability, split, 5, np.random.default_rng(seed))


@pytest.mark.parametrize(("agree_at", "differ_at"), [(0, 1), (1, 2), (2, 5), (3, 4)])
def test_pairs_agree_up_to_one_round_and_differ_by_the_other(agree_at: int, differ_at: int) -> None:
    pool = make_pool()
    adjacency = pool.graphs(pool.pairs(agree_at, differ_at, 30))
    scores = refinement_scores(adjacency, np.full((30, 2), 8))
    assert ((scores > agree_at) & (scores <= differ_at)).all()


def test_no_graph_is_taken_twice() -> None:
    pool = make_pool()
    taken = np.concatenate([pool.pairs(2, 5, 200), pool.pairs(1, 2, 200), pool.pairs(0, 1, 200)])
    assert len(np.unique(taken)) == 1200


def test_all_pairs_are_about_equally_likely() -> None:
    # Score 2 pairs of sparse graphs: few kinds have nearly all of the pairs. Waiting for two random
    # graphs would find a kind with k graphs k * (k - 1) / 2 times as often, not k times.
    pool = make_pool(size=7, edge_probability=0.2)
    found = pool.graphs(pool.pairs(1, 2, 250)).sum((-2, -1))[:, 0] / 2
    everything = pool.graphs(np.arange(len(pool)))
    first, second = refinement_hashes(everything, 2)
    is_eligible = (first[:, None] == first) & (second[:, None] != second)
    num_edges = np.broadcast_to(everything.sum((-2, -1))[:, None] / 2, is_eligible.shape)
    expected = num_edges[is_eligible]
    assert found.mean() == pytest.approx(expected.mean(), abs=3 * expected.std() / 250**0.5)


def test_graphs_have_edges_with_the_given_probability() -> None:
    adjacency = make_pool(size=12, edge_probability=0.3).fresh_graphs(2000)
    assert adjacency.sum() / (2000 * 12 * 11) == pytest.approx(0.3, abs=0.01)
    assert not adjacency.diagonal(axis1=1, axis2=2).any()
    assert (adjacency == adjacency.swapaxes(1, 2)).all()


def test_no_graph_of_one_split_is_isomorphic_to_one_of_the_other() -> None:
    # Pools with different seeds, and small sparse graphs, of which there are only a few kinds.
    parts = (
        make_pool(6, 0.2, "train", 0).fresh_graphs(150),
        make_pool(6, 0.2, "test", 1).fresh_graphs(150),
    )
    crossed = np.stack((np.repeat(parts[0], 150, axis=0), np.tile(parts[1], (150, 1, 1))), axis=1)
    assert (refinement_scores(crossed, np.full((150 * 150, 2), 6)) >= 1).all()


def test_both_splits_find_the_hard_pairs_of_every_default_kind() -> None:
    for split in ("train", "test"):
        for edge_probability in (0.2, 0.8):
            assert len(make_pool(7, edge_probability, split).pairs(2, 5, 50)) == 50


def test_pairs_that_do_not_exist_are_reported_with_what_to_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph_pool, "MAX_POOL_BYTES", 2**20)
    with pytest.raises(ParameterError, match=r"3 nodes and edge probability 0\.5.*Request fewer"):
        make_pool(3, 0.5).pairs(2, 5, 1)
