"""Datasets of tensors, and the shuffled order in which environments draw datapoints."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard, overload

import numpy as np
import torch
from torch import Tensor

RowIndex = slice | Tensor | np.ndarray | Sequence[int] | Sequence[bool]
"""Selects several datapoints: a slice, row numbers, or one bool for each datapoint."""


@dataclass(frozen=True)
class TensorDataset:
    """Datapoints with their labels, as tensors of ``n`` rows.

    It is indexed like a structured array: ``dataset[3]`` is a dictionary of one datapoint, with its
    observations and its label ``y``; ``dataset[:8]``, ``dataset[[0, 4]]`` and ``dataset[rows]`` are
    datasets of several; ``dataset["y"]`` is the column of all datapoints. PyTorch's ``DataLoader``
    accepts it.

    Parameters
    ----------
    observations : mapping of str to Tensor
        Observations of the datapoints, each of shape (n, ...).
    y : Tensor
        Labels, 0 or 1, of shape (n,).
    message_shape : tuple of int
        Shape ``S`` of the grid from which the symbols of a message are chosen.
    """

    observations: Mapping[str, Tensor]
    y: Tensor
    message_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        for name, value in self.observations.items():
            if len(value) != len(self.y):
                raise ValueError(
                    f"Dataset key {name!r} has {len(value)} rows, but there are {len(self.y)} "
                    "labels. Give every tensor one row for each datapoint."
                )

    def __len__(self) -> int:
        return len(self.y)

    @overload
    def __getitem__(self, key: str) -> Tensor: ...

    @overload
    def __getitem__(self, key: int) -> dict[str, Tensor]: ...

    @overload
    def __getitem__(self, key: RowIndex) -> "TensorDataset": ...

    def __getitem__(
        self, key: str | int | RowIndex
    ) -> "Tensor | dict[str, Tensor] | TensorDataset":
        """Return a column, one datapoint, or a dataset of several.

        Raises
        ------
        KeyError
            If there is no such column.
        IndexError
            If there is no such row.
        """
        if isinstance(key, str):
            return self._column(key)
        rows = key if _is_forward(key) else row_numbers(key, len(self)).to(self.y.device)
        observations = {name: values[rows] for name, values in self.observations.items()}
        if isinstance(rows, Tensor) and rows.ndim == 0:
            return {**observations, "y": self.y[rows]}
        return TensorDataset(observations, self.y[rows], self.message_shape)

    def _column(self, name: str) -> Tensor:
        columns = {**self.observations, "y": self.y}
        if name not in columns:
            raise KeyError(
                f"The dataset has no column {name!r}. It has {', '.join(map(repr, columns))}."
            )
        return columns[name]

    @property
    def observation_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each observation of one datapoint."""
        return {name: tuple(value.shape[1:]) for name, value in self.observations.items()}

    def fingerprint(self) -> str:
        """Return the SHA-256 of observations and labels, which identifies the dataset."""
        digest = hashlib.sha256()
        for name in sorted(self.observations):
            digest.update(name.encode())
            digest.update(self.observations[name].cpu().contiguous().numpy().tobytes())
        digest.update(self.y.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def to(self, device: torch.device | str) -> "TensorDataset":
        """Return the dataset on another device."""
        moved = {name: value.to(device) for name, value in self.observations.items()}
        return TensorDataset(moved, self.y.to(device), self.message_shape)


def _is_forward(key: object) -> TypeGuard[slice]:
    """Return whether a slice is one that PyTorch has, without a copy."""
    return isinstance(key, slice) and (key.step is None or key.step > 0)


def row_numbers(key: int | RowIndex, size: int) -> Tensor:
    """Return the numbers of the selected rows, () for one row and (row,) for several.

    Numbers from the end stay negative.
    """
    try:
        rows = torch.as_tensor(range(size)[key] if isinstance(key, slice) else key)
    except (TypeError, ValueError, RuntimeError):
        rows = torch.empty(())
    if rows.shape == (0,):
        return rows.long()
    is_mask = rows.dtype == torch.bool
    if rows.ndim > 1 or rows.is_floating_point() or (is_mask and rows.ndim == 0):
        raise IndexError(
            "A dataset is indexed by an int, a slice, a list or vector of ints or bools, or the "
            f"name of a column, got {key!r}."
        )
    if is_mask:
        if len(rows) != size:
            raise IndexError(
                f"A mask has one bool for each of the {size} datapoints, got {len(rows)}."
            )
        return rows.nonzero().squeeze(-1)
    if bool(((rows < -size) | (rows >= size)).any()):
        raise IndexError(
            f"The dataset has {size} datapoints, which are numbered from 0 to {size - 1}, or from "
            f"-1 to {-size} from the end, got {rows.tolist()}."
        )
    return rows


class EndlessShuffledOrder:
    """Endless stream of dataset indices, reshuffled after each full pass; none is skipped."""

    def __init__(self, size: int, seed: int) -> None:
        if size < 1:
            raise ValueError("A dataset must have at least 1 datapoint, got none.")
        self._size = size
        self._generator = torch.Generator().manual_seed(seed)
        self._remainder = torch.empty(0, dtype=torch.long)

    def draw(self, count: int) -> Tensor:
        """Return the next ``count`` indices, of shape (count,)."""
        while len(self._remainder) < count:
            shuffled = torch.randperm(self._size, generator=self._generator)
            self._remainder = torch.cat((self._remainder, shuffled))
        drawn, self._remainder = self._remainder[:count], self._remainder[count:]
        return drawn

    def state_dict(self) -> dict[str, Tensor]:
        """Return the position in the data and the state of the generator."""
        return {"remainder": self._remainder.clone(), "generator": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore a state returned by ``state_dict``."""
        self._remainder = state["remainder"].clone()
        self._generator.set_state(state["generator"])
