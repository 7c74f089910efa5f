"""Minibatches: how the data of an iteration is divided for learning."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.trainers.tensor.learning.data_parallel import own_rows
from nip.utils.batch_rows import take_rows
from nip.utils.ranks import current_ranks


class Minibatches(ABC):
    """Base class of everything that divides a batch into minibatches.

    ``len`` is the number of minibatches of an iteration.
    """

    num_epochs: int = 1
    """Passes over the batch of an iteration."""

    @property
    @abstractmethod
    def num_per_epoch(self) -> int:
        """Number of minibatches of one pass."""

    @abstractmethod
    def of(self, batch: TensorDictBase) -> Iterator[TensorDictBase]:
        """Yield the ``num_per_epoch`` minibatches, (row,), of one pass over a batch.

        Parameters
        ----------
        batch : TensorDictBase
            What an iteration learns from: frames of any batch size, or the rows of a dataset.
        """

    def __len__(self) -> int:
        """Return the number of minibatches of an iteration, over all epochs."""
        return self.num_epochs * self.num_per_epoch

    def state_dict(self) -> dict[str, Any]:
        """Return what must survive an interruption, such as the state of a generator."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - may have no state
        """Load what ``state_dict`` returned."""


class ShuffledMinibatches(Minibatches):
    """Minibatches of frames in random order, without replacement in each epoch.

    Parameters
    ----------
    size : int
        Frames of a minibatch. Frames that are left over at the end of an epoch are not used in it.
    num_frames : int
        Frames of a batch, of all ranks together.
    """

    def __init__(self, size: int, seed: int, *, num_frames: int, num_epochs: int = 1) -> None:
        self.num_epochs = num_epochs
        self._size = size
        self._num_frames = num_frames
        self._generator = torch.Generator().manual_seed(seed)

    @property
    def num_per_epoch(self) -> int:
        """Number of full minibatches of a batch."""
        return self._num_frames // self._size

    def of(self, batch: TensorDictBase) -> Iterator[TensorDictBase]:
        """Yield the minibatches of one epoch, (frame,).

        All ranks draw the same minibatches of their joint batch, and each yields the frames that
        are its own.
        """
        frames = batch.exclude("next").reshape(-1)
        drawn = self.draw(len(frames))
        # One transfer for the whole epoch, so that no minibatch waits for its own.
        order = torch.cat(drawn or [torch.empty(0, dtype=torch.long)])
        for rows in order.to(frames.device).split([len(each) for each in drawn]):
            yield take_rows(frames, rows)

    def draw(self, num_frames: int) -> list[Tensor]:
        """Return the rows, (frame,), of each minibatch of one epoch.

        ``num_frames`` is the number of frames of this rank.
        """
        ranks = current_ranks()
        num_joint = num_frames * ranks.size
        order = torch.randperm(num_joint, generator=self._generator)
        return [
            own_rows(order[start : start + self._size], num_frames, ranks)
            for start in range(0, num_joint - self._size + 1, self._size)
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the generator."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self._generator.set_state(state["generator"])


class EpisodeMinibatches(Minibatches):
    """Minibatches of environments with all their steps, in random order, without replacement.

    Parameters
    ----------
    size : int
        Frames of a minibatch; rounded down to whole environments, but at least one of them.
    num_environments : int
        Environments of a batch, of all ranks together. Those that are left over at the end of an
        epoch are not used in it.
    num_steps : int
        Steps of each environment.
    """

    def __init__(
        self, size: int, seed: int, *, num_environments: int, num_steps: int, num_epochs: int = 1
    ) -> None:
        self.num_epochs = num_epochs
        self._size = min(max(size // num_steps, 1), num_environments)
        self._num_environments = num_environments
        self._generator = torch.Generator().manual_seed(seed)

    @property
    def num_per_epoch(self) -> int:
        """Number of full minibatches of a batch."""
        return self._num_environments // self._size

    def of(self, batch: TensorDictBase) -> Iterator[TensorDictBase]:
        """Yield the minibatches of one epoch, (frame,), the steps of each environment in order.

        All ranks draw the same minibatches of their joint batch, and each yields the environments
        that are its own.
        """
        ranks = current_ranks()
        environments = batch.exclude("next")
        num_environments = len(environments) * ranks.size
        order = torch.randperm(num_environments, generator=self._generator)
        order = order.to(environments.device)
        for start in range(0, num_environments - self._size + 1, self._size):
            rows = own_rows(order[start : start + self._size], len(environments), ranks)
            # Unlike reshape(-1), this takes a share without any environments.
            yield take_rows(environments, rows).flatten(0, 1)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the generator."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self._generator.set_state(state["generator"])
