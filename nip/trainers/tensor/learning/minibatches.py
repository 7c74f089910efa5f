"""Dividing a batch of frames into minibatches."""

from collections.abc import Iterator, Mapping

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.trainers.tensor.learning.data_parallel import own_rows
from nip.utils.ranks import current_ranks


class ShuffledMinibatches:
    """Minibatches of frames, without replacement in each epoch.

    Parameters
    ----------
    size : int
        Frames of a minibatch; what is left over at the end of an epoch waits for the next.
    seed : int
        Seed of their orders.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._generator = torch.Generator().manual_seed(seed)

    def of(self, batch: TensorDictBase) -> Iterator[TensorDictBase]:
        """Yield the minibatches of an epoch, (frame,), of a batch of any shape.

        Of several ranks each yields, of the minibatches of their joint batch, what lies on it.
        """
        ranks = current_ranks()
        frames = batch.exclude("next").reshape(-1)
        num_frames = len(frames) * ranks.size
        order = torch.randperm(num_frames, generator=self._generator)
        order = order.to(frames.device)
        for start in range(0, num_frames - self._size + 1, self._size):
            yield frames[own_rows(order[start : start + self._size], len(frames), ranks)]

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state of the generator."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where ``state_dict`` was taken."""
        self._generator.set_state(state["generator"])
