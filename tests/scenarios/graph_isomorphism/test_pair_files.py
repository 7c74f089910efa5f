"""Files of graph pairs: what is written is read back, and broken ones are named and explained."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from nip.errors import DatasetError
from nip.scenarios.graph_isomorphism.pair_files import (
    PairArrays,
    available_splits,
    read_split,
    write_dataset,
)
from tests.scenarios.graph_isomorphism.graphs import batch, graph, path


def public_arrays() -> dict[str, np.ndarray]:
    """Two pairs as the public format stores them, written by hand.

    First the path 0 - 1 - 2 and the path 1 - 0 - 2, then an edge and no edge.
    """
    return {
        "edge_index_a": np.array([[0, 1, 1, 2, 0, 1], [1, 0, 2, 1, 1, 0]], dtype=np.int64),
        "edge_index_b": np.array([[0, 0, 1, 2], [1, 2, 0, 0]], dtype=np.int64),
        "slices_a": np.array([0, 4, 6], dtype=np.int64),
        "slices_b": np.array([0, 4, 4], dtype=np.int64),
        "sizes_a": np.array([3, 2], dtype=np.int32),
        "sizes_b": np.array([3, 2], dtype=np.int32),
        "wl_scores": np.array([-1, 1], dtype=np.int32),
    }


def put(folder: Path, arrays: dict[str, np.ndarray], split: str = "train") -> Path:
    file = folder / "raw" / split / "data.safetensors"
    file.parent.mkdir(parents=True)
    save_file(arrays, file)
    return file


def put_pt(folder: Path, content: Any, split: str = "train") -> Path:
    file = folder / "raw" / split / "data.pt"
    file.parent.mkdir(parents=True)
    torch.save(content, file)
    return file


def assert_is_the_example(pairs: PairArrays) -> None:
    first = path(3), graph(3, (0, 1), (0, 2))
    second = graph(2, (0, 1)), graph(2)
    adjacency, sizes = batch(first, second)
    np.testing.assert_array_equal(pairs.adjacency, adjacency)
    np.testing.assert_array_equal(pairs.sizes, sizes)
    assert pairs.wl_scores.tolist() == [-1, 1]


def test_our_format_is_read(tmp_path: Path) -> None:
    put(tmp_path, public_arrays())
    assert_is_the_example(read_split(tmp_path, "train"))


def test_the_public_format_is_read(tmp_path: Path) -> None:
    put_pt(tmp_path, {name: torch.from_numpy(array) for name, array in public_arrays().items()})
    assert_is_the_example(read_split(tmp_path, "train"))


def test_the_published_dataset_is_read(repository: Path) -> None:
    folder = repository.parent / "shared" / "data" / "graph_isomorphism" / "er1000"
    if not folder.is_dir():
        pytest.skip(f"the published dataset er1000 is not at {folder}")
    pairs = read_split(folder, "train")
    assert pairs.adjacency.shape == (1000, 2, 11, 11)
    # Both directions of every edge: 37042 entries in the first graphs, 37136 in the second ones.
    assert pairs.adjacency.sum(axis=(0, 2, 3)).tolist() == [37042, 37136]
    scores, counts = np.unique(pairs.wl_scores, return_counts=True)
    assert dict(zip(scores.tolist(), counts.tolist(), strict=True)) == {
        -1: 500,
        1: 40,
        2: 100,
        3: 352,
        4: 8,
    }


@st.composite
def pair_arrays(draw: st.DrawFn) -> PairArrays:
    pairs = []
    for _ in range(draw(st.integers(1, 4))):
        pair = []
        for _ in range(2):
            num_nodes = draw(st.integers(1, 5))
            possible = [(i, j) for i in range(num_nodes) for j in range(i)] or [None]
            edges = draw(st.lists(st.sampled_from(possible), unique=True))
            pair.append(graph(num_nodes, *filter(None, edges)))
        pairs.append((pair[0], pair[1]))
    scores = draw(st.lists(st.integers(1, 5), min_size=len(pairs), max_size=len(pairs)))
    return PairArrays(*batch(*pairs), np.array(scores, dtype=np.int32))


@given(pairs=pair_arrays())
def test_what_is_written_is_read_back(
    pairs: PairArrays, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("data") / "mine"
    write_dataset(folder, {"test": pairs}, {})
    again = read_split(folder, "test")
    num_nodes = pairs.sizes.max()
    np.testing.assert_array_equal(again.adjacency, pairs.adjacency[..., :num_nodes, :num_nodes])
    np.testing.assert_array_equal(again.sizes, pairs.sizes)
    np.testing.assert_array_equal(again.wl_scores, pairs.wl_scores)


def example() -> PairArrays:
    adjacency, sizes = batch((path(3), path(3)), (graph(2, (0, 1)), graph(2)))
    return PairArrays(adjacency, sizes, np.array([-1, 1], dtype=np.int32))


def test_files_hold_the_keys_and_types_of_the_public_format(tmp_path: Path) -> None:
    write_dataset(tmp_path / "mine", {"train": example()}, {})
    stored = load_file(tmp_path / "mine" / "raw" / "train" / "data.safetensors")
    assert {name: array.dtype for name, array in stored.items()} == {
        name: array.dtype for name, array in public_arrays().items()
    }


def test_the_origin_is_stored_beside_the_pairs(tmp_path: Path) -> None:
    write_dataset(tmp_path / "mine", {"train": example()}, {"seed": 3, "sizes": (7, 8)})
    stored = json.loads((tmp_path / "mine" / "metadata.json").read_text())
    assert stored == {"seed": 3, "sizes": [7, 8]}


def test_a_dataset_is_replaced_only_on_demand(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_dataset(folder, {"train": example(), "test": example()}, {"seed": 1})
    with pytest.raises(DatasetError, match=r"mine exists already.*--overwrite"):
        write_dataset(folder, {"train": example()}, {"seed": 2})
    assert json.loads((folder / "metadata.json").read_text()) == {"seed": 1}
    write_dataset(folder, {"train": example()}, {"seed": 2}, overwrite=True)
    assert json.loads((folder / "metadata.json").read_text()) == {"seed": 2}
    assert available_splits(folder) == ("train",)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]


def test_an_interrupted_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nip.scenario_base.dataset_files.write_atomically", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "mine", {"train": example()}, {})
    assert not list(tmp_path.iterdir())


def test_a_failed_replacement_keeps_the_old_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    write_dataset(folder, {"train": example()}, {"seed": 1})
    rename = Path.rename

    def fail_for_new(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_new)
    with pytest.raises(OSError, match="disk full"):
        write_dataset(folder, {"train": example()}, {"seed": 2}, overwrite=True)
    assert json.loads((folder / "metadata.json").read_text()) == {"seed": 1}


def test_a_missing_split_is_named_with_a_way_out(tmp_path: Path) -> None:
    put(tmp_path, public_arrays(), "train")
    assert available_splits(tmp_path) == ("train",)
    with pytest.raises(DatasetError, match=r"no test split.*raw/test.*both splits"):
        read_split(tmp_path, "test")


BREAKAGES = {
    "no array 'wl_scores'": lambda a: a.pop("wl_scores"),
    "holds no pairs": lambda a: a.update(
        {name: array[..., :0] for name, array in a.items()},
        slices_a=np.zeros(1, np.int64),
        slices_b=np.zeros(1, np.int64),
    ),
    "wl_scores must be -1 or lie between 1 and": lambda a: a.update(wl_scores=np.array([-1, 0])),
    "wl_scores must be an array of integers": lambda a: a.update(wl_scores=np.array([-1.0, 1.0])),
    "graphs of different sizes": lambda a: a.update(sizes_b=np.array([4, 2])),
    "sizes_a and wl_scores differ": lambda a: a.update(sizes_a=np.array([3])),
    "sizes_a must be at least 1": lambda a: a.update(sizes_a=np.array([3, 0])),
    "slices_a must rise from 0": lambda a: a.update(slices_a=np.array([0, 7, 6])),
    "slices_b must rise from 0": lambda a: a.update(slices_b=np.array([0, 4, 5])),
    "edge_index_a names a node": lambda a: a["edge_index_a"].__setitem__((0, 4), 2),
    "edge_index_b names a node": lambda a: a["edge_index_b"].__setitem__((0, 0), -1),
    "edge_index_a must have two rows": lambda a: a.update(edge_index_a=np.zeros((3, 6), int)),
    "edge_index_a lists an edge twice": lambda a: a["edge_index_a"].__setitem__(
        (slice(None), 1), [0, 1]
    ),
    "edge to itself": lambda a: a["edge_index_a"].__setitem__((slice(None), 1), [1, 1]),
    "one direction only": lambda a: a["edge_index_a"].__setitem__((slice(None), 1), [0, 2]),
}


@pytest.mark.parametrize("fault", BREAKAGES)
def test_a_malformed_file_is_named_with_its_fault(tmp_path: Path, fault: str) -> None:
    arrays = public_arrays()
    BREAKAGES[fault](arrays)
    file = put(tmp_path, arrays)
    with pytest.raises(DatasetError) as caught:
        read_split(tmp_path, "train")
    assert str(file) in str(caught.value)
    assert fault in str(caught.value)


@pytest.mark.parametrize("kept", [0, 5, 100, -10])
def test_truncated_files_are_reported_as_damaged(tmp_path: Path, kept: int) -> None:
    tensors = {name: torch.from_numpy(array) for name, array in public_arrays().items()}
    files = put(tmp_path, public_arrays(), "train"), put_pt(tmp_path, tensors, "test")
    for file, split in zip(files, ("train", "test"), strict=True):
        file.write_bytes(file.read_bytes()[:kept])
        with pytest.raises(DatasetError, match=r"cannot be read: it is damaged") as caught:
            read_split(tmp_path, split)
        assert str(file) in str(caught.value)


class Payload:
    """Something that would run code when unpickled."""

    def __reduce__(self) -> tuple:
        return print, ("unpickled",)


def test_a_file_with_code_in_it_is_refused_without_running_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_pt(tmp_path, {"wl_scores": Payload()})
    with pytest.raises(DatasetError, match="cannot be read"):
        read_split(tmp_path, "train")
    assert "unpickled" not in capsys.readouterr().out


def test_a_public_file_without_a_dict_is_refused(tmp_path: Path) -> None:
    put_pt(tmp_path, [1, 2])
    with pytest.raises(DatasetError, match="holds a list instead of a dict of tensors"):
        read_split(tmp_path, "train")


ODD_TENSORS: dict[str, Any] = {
    "bool": lambda tensor: tensor.bool(),
    "bfloat16": lambda tensor: tensor.bfloat16(),
    "float8": lambda tensor: tensor.to(torch.float8_e4m3fn),
    "complex": lambda tensor: tensor.to(torch.complex64),
    "scalar": lambda tensor: tensor.flatten()[0].clone(),
    "empty": lambda tensor: tensor.new_empty(0),
    "sparse": lambda tensor: tensor.to_sparse(),
    "with gradient": lambda tensor: tensor.float().requires_grad_(),
    "without data": lambda tensor: tensor.to("meta"),
    "list": lambda tensor: tensor.tolist(),
    "huge": lambda tensor: torch.full_like(tensor.long(), 2**62),
}


@pytest.mark.parametrize("kind", ODD_TENSORS)
@pytest.mark.parametrize("name", public_arrays())
def test_odd_tensors_are_refused_in_both_formats(tmp_path: Path, kind: str, name: str) -> None:
    tensors = {key: torch.from_numpy(array) for key, array in public_arrays().items()}
    tensors[name] = ODD_TENSORS[kind](tensors[name])
    put_pt(tmp_path / "pt", tensors)
    with pytest.raises(DatasetError, match=r"data\.pt"):
        read_split(tmp_path / "pt", "train")
    if kind in ("sparse", "with gradient", "without data", "list"):
        return  # Safetensors cannot store them.
    file = tmp_path / "new" / "raw" / "train" / "data.safetensors"
    file.parent.mkdir(parents=True)
    safetensors.torch.save_file(tensors, file)
    with pytest.raises(DatasetError, match=r"data\.safetensors"):
        read_split(tmp_path / "new", "train")


def test_sizes_beyond_the_memory_are_refused_before_it_is_taken(tmp_path: Path) -> None:
    sizes = np.array([10**9, 2], dtype=np.int32)
    put(tmp_path, {**public_arrays(), "sizes_a": sizes, "sizes_b": sizes})
    with pytest.raises(DatasetError, match=r"not enough memory: .*largest size=1000000000"):
        read_split(tmp_path, "train")
