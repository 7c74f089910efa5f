"""Splits of graph pairs are loaded as padded tensors."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nip.errors import DatasetError
from nip.scenarios.graph_isomorphism.dataset import load_pairs
from nip.scenarios.graph_isomorphism.pair_files import PairArrays, write_dataset
from tests.scenarios.graph_isomorphism.graphs import batch, cycle, path, spider, union


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train = PairArrays(
        *batch((path(4), spider(1, 1, 1)), (cycle(3), cycle(3))), np.array([1, -1], dtype=np.int32)
    )
    test = PairArrays(
        *batch((union(path(1), path(5)), union(path(2), path(4)))), np.array([1], dtype=np.int32)
    )
    write_dataset(tmp_path / "mine", {"train": train, "test": test}, {})
    return tmp_path / "mine"


def test_pairs_are_tensors_with_the_labels_of_their_scores(folder: Path) -> None:
    pairs = load_pairs(folder, "train")
    assert len(pairs) == 2
    assert pairs.adjacency.dtype == torch.int32
    assert pairs.node_mask.dtype == torch.bool
    assert pairs.y.dtype == torch.long
    assert pairs.y.tolist() == [0, 1]
    assert pairs.wl_scores.tolist() == [1, -1]
    expected = torch.zeros(6, 6, dtype=torch.int32)
    expected[0, 1] = expected[1, 0] = expected[1, 2] = expected[2, 1] = 1
    expected[2, 3] = expected[3, 2] = 1
    assert torch.equal(pairs.adjacency[0, 0], expected)
    assert pairs.node_mask[0, 0].tolist() == [True] * 4 + [False] * 2
    assert pairs.node_mask[1, 1].tolist() == [True] * 3 + [False] * 3


def test_both_splits_are_padded_to_the_largest_graph_of_either(folder: Path) -> None:
    train, test = load_pairs(folder, "train"), load_pairs(folder, "test")
    assert train.message_shape == test.message_shape == (2, 6)
    assert train.adjacency.shape == (2, 2, 6, 6)
    assert test.adjacency.shape == (1, 2, 6, 6)


def test_a_dataset_with_one_split_gives_that_one(folder: Path) -> None:
    (folder / "raw" / "test" / "data.safetensors").unlink()
    assert load_pairs(folder, "train").message_shape == (2, 4)
    with pytest.raises(DatasetError, match="no test split"):
        load_pairs(folder, "test")


def test_the_published_dataset_loads(repository: Path) -> None:
    folder = repository.parent / "shared" / "data" / "graph_isomorphism" / "er1000"
    if not folder.is_dir():
        pytest.skip(f"the published dataset er1000 is not at {folder}")
    pairs = load_pairs(folder, "train")
    assert pairs.message_shape == (2, 11)
    assert int(pairs.y.sum()) == 500
    sizes = pairs.node_mask.sum(-1)
    assert torch.equal(sizes[:, 0], sizes[:, 1])
    assert torch.bincount(sizes[:, 0])[7:].tolist() == [193, 199, 203, 204, 201]
