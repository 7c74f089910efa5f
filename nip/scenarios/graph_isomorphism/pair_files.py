"""Files of graph pairs: reading with validation, and writing.

A dataset is a folder with ``raw/train`` and ``raw/test``, each of which holds one file of pairs:
``data.safetensors`` (the package's format) or ``data.pt`` (the public format, the same arrays saved
by torch). See the guide on the data of graph isomorphism.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from safetensors.numpy import load_file, save

from nip.errors import DatasetError
from nip.scenario_base.dataset_files import SPLITS, missing_split, write_dataset_folder
from nip.utils.files import regular
from nip.utils.memory_limit import MemoryNeed, memory_limit, problem_with_memory

FILE_NAMES = ("data.safetensors", "data.pt")
"""Accepted names of a split's file; the first that exists is read."""


MAX_SCORE = 2**31 - 1
"""Highest score that a file can hold; that of a pair is below its number of nodes."""


@dataclass(frozen=True)
class PairArrays:
    """Pairs of graphs as dense arrays, padded to the largest graph among them."""

    adjacency: Bool[np.ndarray, "pair 2 node node"]
    """Symmetric adjacency matrices with a zero diagonal; nodes come before padding."""

    sizes: Int[np.ndarray, "pair 2"]
    """Number of nodes of each graph."""

    wl_scores: Int[np.ndarray, " pair"]
    """First round of colour refinement that separates the pair, -1 if it is isomorphic."""

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.wl_scores)


def available_splits(folder: Path) -> tuple[str, ...]:
    """Return the splits of a dataset that have a file."""
    return tuple(split for split in SPLITS if _split_file(folder, split) is not None)


def read_split(folder: Path, split: str) -> PairArrays:
    """Read and validate the pairs of one split.

    Raises
    ------
    DatasetError
        If the split is missing, or its file cannot be read or is inconsistent.
    """
    path = _split_file(folder, split)
    if path is None:
        raise missing_split(folder, split)
    arrays = _load_safetensors(path) if path.suffix == ".safetensors" else _load_pt(path)
    return _Decoder(path, arrays).pairs()


def _split_file(folder: Path, split: str) -> Path | None:
    candidates = [folder / "raw" / split / name for name in FILE_NAMES]
    return next((path for path in candidates if path.is_file()), None)


def _load_safetensors(path: Path) -> dict[str, Any]:
    try:
        return load_file(regular(path))
    except Exception as error:  # NumPy lacks some types of tensors, such as bfloat16.
        raise _unreadable(path, error) from error


def _load_pt(path: Path) -> dict[str, Any]:
    # Imported here, because safetensors files do not need torch.
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # Broken files make torch raise half a dozen unrelated types.
        raise _unreadable(path, error) from error
    if not isinstance(content, dict):
        raise _malformed(path, f"it holds a {type(content).__name__} instead of a dict of tensors")
    try:
        return {
            name: value.numpy() if isinstance(value, torch.Tensor) else value
            for name, value in content.items()
        }
    except (TypeError, RuntimeError) as error:  # Types, layouts and devices that NumPy lacks.
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DatasetError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return DatasetError(
        f"{path} cannot be read: it is damaged or not a file of graph pairs ({reason}). "
        "Make or download the dataset again."
    )


def _malformed(path: Path, problem: str) -> DatasetError:
    return DatasetError(
        f"{path} is not a file of graph pairs: {problem}. Make or download the dataset again."
    )


class _Decoder:
    """Converts the arrays of one file to dense pairs and validates them."""

    def __init__(self, path: Path, arrays: Mapping[str, Any]) -> None:
        self.path = path
        self.arrays = arrays

    def pairs(self) -> PairArrays:
        scores = self._integers("wl_scores", 1)
        num_pairs = len(scores)
        sizes = np.stack([self._sizes(side, num_pairs) for side in "ab"], axis=1)
        self._require(num_pairs > 0, "it holds no pairs")
        self._require(
            bool(np.all((scores == -1) | ((scores >= 1) & (scores <= MAX_SCORE)))),
            f"wl_scores must be -1 or lie between 1 and {MAX_SCORE}",
        )
        self._require(
            bool(np.all((scores != -1) | (sizes[:, 0] == sizes[:, 1]))),
            "a pair with score -1 (isomorphic) has graphs of different sizes",
        )
        graphs = [self._graphs(side, sizes[:, index]) for index, side in enumerate("ab")]
        num_nodes = int(sizes.max())
        self._require_memory(num_pairs, num_nodes)
        adjacency = np.zeros((num_pairs, 2, num_nodes, num_nodes), dtype=bool)
        for index, (graph_of_edge, edges) in enumerate(graphs):
            adjacency[graph_of_edge, index, edges[0], edges[1]] = True
            self._require(
                int(adjacency[:, index].sum()) == edges.shape[1],
                f"edge_index_{'ab'[index]} lists an edge twice",
            )
        self._require(
            not adjacency.diagonal(axis1=2, axis2=3).any(), "a node has an edge to itself"
        )
        self._require(
            bool(np.array_equal(adjacency, adjacency.swapaxes(2, 3))),
            "an edge is listed in one direction only (both are needed)",
        )
        return PairArrays(adjacency, sizes, scores.astype(np.int32))

    def _require_memory(self, num_pairs: int, num_nodes: int) -> None:
        """Refuse sizes whose adjacency matrices, of one byte per entry, cannot fit into memory."""
        sizes = {"pairs": num_pairs, "largest size": num_nodes}
        need = MemoryNeed("the adjacency matrices", sizes, 2 * num_pairs * num_nodes**2)
        if problem := problem_with_memory([need], memory_limit()):
            raise DatasetError(f"{self.path} cannot be read. {problem}")

    def _graphs(
        self, side: str, sizes: Int[np.ndarray, " pair"]
    ) -> tuple[Int[np.ndarray, " edge"], Int[np.ndarray, "2 edge"]]:
        """Return the pair of each edge, and its two ends."""
        edges = self._integers(f"edge_index_{side}", 2)
        slices = self._integers(f"slices_{side}", 1)
        counts = np.diff(slices)
        self._require(len(edges) == 2, f"edge_index_{side} must have two rows")
        self._require(
            len(counts) == len(sizes)
            and int(slices[0]) == 0
            and int(slices[-1]) == edges.shape[1]
            and bool((counts >= 0).all()),
            f"slices_{side} must rise from 0 to the number of edges, with one step per pair",
        )
        graph_of_edge = np.repeat(np.arange(len(sizes)), counts)
        self._require(
            bool(np.all((edges >= 0) & (edges < sizes[graph_of_edge]))),
            f"edge_index_{side} names a node that its graph does not have",
        )
        return graph_of_edge, edges

    def _sizes(self, side: str, num_pairs: int) -> Int[np.ndarray, " pair"]:
        sizes = self._integers(f"sizes_{side}", 1)
        self._require(len(sizes) == num_pairs, f"sizes_{side} and wl_scores differ in length")
        self._require(bool((sizes >= 1).all()), f"sizes_{side} must be at least 1")
        return sizes

    def _integers(self, name: str, num_axes: int) -> Int[np.ndarray, "..."]:
        array = self.arrays.get(name)
        self._require(array is not None, f"it has no array {name!r}")
        self._require(
            isinstance(array, np.ndarray)
            and np.issubdtype(array.dtype, np.integer)
            and array.ndim == num_axes,
            f"{name} must be an array of integers with {num_axes} axes",
        )
        return np.asarray(array, dtype=np.int64)

    def _require(self, holds: bool, problem: str) -> None:
        if not holds:
            raise _malformed(self.path, problem)


def write_dataset(
    folder: Path,
    splits: Mapping[str, PairArrays],
    metadata: Mapping[str, Any],
    overwrite: bool = False,
) -> None:
    """Write a dataset so that its folder appears only when all files are complete.

    Missing parents are created. ``metadata`` tells how the pairs were made.

    Raises
    ------
    DatasetError
        If the folder exists and ``overwrite`` is false.
    """
    files: dict[str, bytes | str] = {
        f"raw/{split}/{FILE_NAMES[0]}": save(_encode(pairs)) for split, pairs in splits.items()
    }
    files["metadata.json"] = json.dumps(metadata, indent=2) + "\n"
    write_dataset_folder(folder, files, overwrite)


def _encode(pairs: PairArrays) -> dict[str, np.ndarray]:
    """Convert dense pairs to the arrays of a file; nodes are numbered from 0 in each graph."""
    arrays = {"wl_scores": pairs.wl_scores.astype(np.int32)}
    for index, side in enumerate("ab"):
        graph_of_edge, source, target = np.nonzero(pairs.adjacency[:, index])
        counts = np.bincount(graph_of_edge, minlength=len(pairs))
        arrays[f"edge_index_{side}"] = np.stack((source, target)).astype(np.int64)
        arrays[f"slices_{side}"] = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        arrays[f"sizes_{side}"] = pairs.sizes[:, index].astype(np.int32)
    return arrays
