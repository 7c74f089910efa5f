"""Datapoints and seeds of coming episodes, drawn ahead and kept on the device."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Int
from torch import Tensor


class EpisodeQueue:
    """Gives finished environments their next episodes without a transfer to or from the host.

    How many episodes a step ends is only known on the device. So the host draws as many episodes
    as may begin in some steps, before these steps, and a position on the device says which of them
    have begun.

    Parameters
    ----------
    draw : callable
        Returns the datapoints and the seeds, each (count,), of the next ``count`` episodes.
    device : torch.device
        Device of the environments.
    """

    def __init__(
        self, draw: Callable[[int], tuple[Tensor, Tensor]], device: torch.device | str
    ) -> None:
        self._draw = draw
        self._device = torch.device(device)
        self.clear()

    def clear(self) -> None:
        """Forget the episodes that have not begun."""
        self.episodes: Int[Tensor, "2 episode"] = torch.empty(
            2, 0, dtype=torch.long, device=self._device
        )
        self.position = torch.zeros((), dtype=torch.long, device=self._device)
        self._num_sure = 0

    def prepare(self, count: int) -> None:
        """Draw as many episodes as are missing of ``count``. This waits for the device."""
        missing = int(self.position) + count - self.episodes.shape[1]
        if missing > 0:
            drawn = torch.stack(self._draw(missing)).to(self._device)
            self.episodes = torch.cat((self.rest(), drawn), dim=1)
            self.position = torch.zeros_like(self.position)
        self._num_sure = count

    def rest(self) -> Int[Tensor, "2 episode"]:
        """Return datapoints and seeds of the episodes that have not begun."""
        return self.episodes[:, int(self.position) :]

    def reserve(self, count: int) -> None:
        """Let ``count`` episodes begin at most; wait for the device if so many were not drawn."""
        if self._num_sure < count:
            self.prepare(count)
        self._num_sure -= count

    def take(self, starts: Bool[Tensor, " batch"]) -> tuple[Tensor, Tensor]:
        """Return datapoints and seeds, each (batch,), which mean nothing where nothing starts."""
        self.reserve(len(starts))
        chosen, self.position = next_episodes(self.episodes, self.position, starts)
        return chosen[0], chosen[1]


def next_episodes(
    episodes: Int[Tensor, "2 episode"], position: Int[Tensor, ""], starts: Bool[Tensor, " batch"]
) -> tuple[Int[Tensor, "2 batch"], Int[Tensor, ""]]:
    """Return the episodes that start, in their order, and the position after them."""
    rank = position + starts.cumsum(0) - 1
    return episodes.index_select(1, rank.clamp_min(0)), position + starts.sum()
