"""Datasets of tensors, and the shuffled order in which environments draw datapoints."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TensorDataset:
    """Datapoints with their labels, as tensors of ``n`` rows.

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
