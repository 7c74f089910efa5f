"""Generated datasets have the requested sizes, scores and disjoint splits."""

import hashlib
import subprocess
import sys
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import ParameterError
from nip.scenarios.graph_isomorphism.generation import (
    GenerationParameters,
    Quota,
    cell_quotas,
    generate_pairs,
    total_quota,
)
from nip.scenarios.graph_isomorphism.pair_files import PairArrays
from nip.scenarios.graph_isomorphism.refinement import refinement_hashes, refinement_scores


@pytest.fixture(scope="module")
def train() -> PairArrays:
    return generate_pairs(400, "train", seed=0)


def test_a_thousand_pairs_divide_as_configured_or_as_published() -> None:
    assert total_quota(1000, (0.1, 0.2)) == Quota(350, 100, 50, 250, 250)
    # The published files hold 500 isomorphic pairs, 40 of score 1, 100 of score 2, 360 above.
    assert total_quota(1000, (0.08, 0.2)) == Quota(360, 100, 40, 250, 250)


def test_shares_are_rounded_down_and_the_rest_scores_above_2() -> None:
    # Of 19 pairs 1.9 should score 1, and 5.7 at most 2.
    assert total_quota(39, (0.1, 0.2)) == Quota(14, 4, 1, 10, 10)
    assert total_quota(50, (0.5, 0.5)) == Quota(0, 13, 12, 12, 13)
    assert total_quota(200, (0.29, 0.57)) == Quota(14, 57, 29, 50, 50)


@given(st.integers(2, 3000), st.integers(1, 30))
def test_cells_share_every_kind_evenly(num_pairs: int, num_cells: int) -> None:
    total = total_quota(num_pairs, (0.1, 0.2))
    quotas = np.array(cell_quotas(total, num_cells))
    assert tuple(quotas.sum(axis=0)) == total
    different, same = quotas[:, :3].sum(axis=1), quotas[:, 3:].sum(axis=1)
    for counts in (*quotas.T, different, same):
        assert np.ptp(counts) <= 1
    assert (quotas[:, 3] <= 2 * different).all()


def test_scores_and_sizes_are_as_asked_for(train: PairArrays) -> None:
    scores = train.wl_scores
    assert [(scores == score).sum() for score in (-1, 1, 2)] == [200, 20, 40]
    assert ((scores == -1) | ((scores >= 1) & (scores <= 5))).all()
    assert np.bincount(train.sizes[:, 0])[7:].tolist() == [80] * 5
    assert (train.sizes[:, 0] == train.sizes[:, 1]).all()
    np.testing.assert_array_equal(refinement_scores(train.adjacency, train.sizes), scores)


def test_adjacency_is_symmetric_without_loops_and_empty_in_the_padding(train: PairArrays) -> None:
    adjacency = train.adjacency
    assert adjacency.shape == (400, 2, 11, 11)
    assert (adjacency == adjacency.swapaxes(2, 3)).all()
    assert not adjacency.diagonal(axis1=2, axis2=3).any()
    is_node = np.arange(11) < train.sizes[..., None]
    assert not adjacency[~is_node].any()


def test_pairs_marked_isomorphic_are_so_by_trying_all_numberings() -> None:
    parameters = GenerationParameters(sizes=(7,))
    pairs = generate_pairs(20, "test", 3, parameters)
    orders = np.array(list(permutations(range(7))))
    for (first, second), score in zip(pairs.adjacency, pairs.wl_scores, strict=True):
        renumbered = first[orders[:, :, None], orders[:, None, :]]
        assert (renumbered == second).all(axis=(1, 2)).any() == (score == -1)


def test_both_graphs_of_isomorphic_pairs_are_renumbered(train: PairArrays) -> None:
    pairs = train.adjacency[train.wl_scores == -1]
    assert (pairs[:, 0] != pairs[:, 1]).any(axis=(1, 2)).mean() > 0.95


def test_half_of_the_isomorphic_pairs_reuse_a_graph_of_the_others() -> None:
    # Of the graphs with eleven nodes, hardly any two drawn independently are the same.
    parameters = GenerationParameters(sizes=(11,), edge_probabilities=(0.4, 0.6))
    pairs = generate_pairs(200, "train", 0, parameters)
    kinds = refinement_hashes(pairs.adjacency.reshape(-1, 11, 11), 5)[-1].reshape(-1, 2)
    is_same = pairs.wl_scores == -1
    reused = np.isin(kinds[is_same, 0], kinds[~is_same])
    assert reused.sum() == 50
    assert len(np.unique(kinds[is_same, 0])) == 100


def test_classes_are_mixed_in_the_order_of_the_pairs(train: PairArrays) -> None:
    is_same = train.wl_scores == -1
    assert 60 < is_same[:200].sum() < 140
    assert len(np.unique(train.sizes[:20, 0])) > 2


def test_the_seed_decides_and_splits_differ() -> None:
    first, again = generate_pairs(60, "train", 1), generate_pairs(60, "train", 1)
    assert digest(first) == digest(again)
    assert digest(first) != digest(generate_pairs(60, "train", 2))
    assert digest(first) != digest(generate_pairs(60, "test", 1))


@pytest.mark.whole_run
def test_another_process_with_another_hash_seed_makes_the_same_pairs() -> None:
    program = (
        "from tests.scenarios.graph_isomorphism.test_generation import digest, generate_pairs;"
        "print(digest(generate_pairs(60, 'train', 1)))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert outputs == {digest(generate_pairs(60, "train", 1))}


def digest(pairs: PairArrays) -> str:
    parts = (pairs.adjacency, pairs.sizes, pairs.wl_scores)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_no_graph_occurs_in_both_splits_up_to_isomorphism(train: PairArrays) -> None:
    test = generate_pairs(100, "test", seed=0)
    for size in range(7, 12):
        kinds = [
            refinement_hashes(
                pairs.adjacency[pairs.sizes[:, 0] == size].reshape(-1, 11, 11)[:, :size, :size], 5
            )[-1]
            for pairs in (train, test)
        ]
        assert len(kinds[1])
        assert not np.isin(kinds[0], kinds[1]).any()


def test_progress_adds_up_to_the_number_of_pairs() -> None:
    steps: list[int] = []
    generate_pairs(50, "train", 0, progress=steps.append)
    assert sum(steps) == 50


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sizes": ()}, "sizes must be different numbers of at least 2, got none"),
        ({"sizes": (7, 7)}, "got 7, 7"),
        ({"sizes": (1,)}, "got 1"),
        ({"sizes": (7, 6)}, "sizes must be at least 7, got 7, 6: no smaller graphs score above 2"),
        ({"edge_probabilities": (0.0, 0.5)}, "between 0 and 1, both exclusive, got 0.0, 0.5"),
        ({"edge_probabilities": (float("nan"),)}, "got nan"),
        ({"score_fractions": (0.8, 0.3)}, "sum up to at most 1, got 0.8, 0.3"),
        ({"score_fractions": (-0.1, 0.3)}, "got -0.1, 0.3"),
        ({"max_rounds": 2}, "max_rounds must be at least 3"),
    ],
)
def test_impossible_parameters_are_refused(changed: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        GenerationParameters(**changed)


def test_no_two_graphs_of_six_nodes_score_above_2_but_some_of_seven_do() -> None:
    ends = np.triu_indices(6, k=1)
    every = np.zeros((2**15, 6, 6), dtype=bool)
    every[:, ends[0], ends[1]] = np.arange(2**15)[:, None] >> np.arange(15) & 1
    hashes = refinement_hashes(every | every.swapaxes(1, 2), 6)
    assert len(np.unique(hashes[1])) == len(np.unique(hashes[5]))
    assert len(generate_pairs(2, "train", 0, GenerationParameters(sizes=(7,)))) == 2


def test_small_graphs_may_have_low_scores() -> None:
    parameters = GenerationParameters(sizes=(6,), score_fractions=(0.9, 0.1))
    scores = generate_pairs(40, "train", 0, parameters).wl_scores
    assert [(scores == score).sum() for score in (-1, 1, 2)] == [20, 18, 2]


def test_a_single_pair_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least 2, one isomorphic and one not, got 1"):
        generate_pairs(1, "test", 0)
