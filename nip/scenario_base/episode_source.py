"""Which datapoints the episodes of an environment are about, and their seeds."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from nip.scenario_base.data import EndlessShuffledOrder
from nip.scenario_base.episode_queue import EpisodeQueue
from nip.seeding import stable_seed

NUM_EPISODE_SEEDS = 2**16
"""Episode seeds are integers below this number."""


class EpisodeSource:
    """Draws datapoints and seeds of new episodes, in an order that survives interruptions.

    Parameters
    ----------
    num_datapoints : int
        Size of the dataset, which is gone through in a new order each time.
    seed : int
        Seed of these orders and of the episode seeds.
    device : torch.device
        Device of the environment.
    """

    _ahead: Int[Tensor, "2 episode"]
    """Datapoints and seeds that were drawn ahead before a checkpoint, and not used since."""

    def __init__(self, num_datapoints: int, seed: int, device: torch.device | str) -> None:
        self._order = EndlessShuffledOrder(num_datapoints, seed)
        self._generator = torch.Generator().manual_seed(stable_seed(seed, "episode seeds"))
        self.queue = EpisodeQueue(self.draw, device)
        """Episodes that are drawn ahead, for fixed shapes."""
        self._ahead = torch.empty(2, 0, dtype=torch.long)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Draw datapoints and seeds of new episodes, each (count,), on the CPU."""
        ahead, self._ahead = self._ahead[:, :count], self._ahead[:, count:]
        count -= ahead.shape[1]
        seeds = torch.randint(NUM_EPISODE_SEEDS, (count,), generator=self._generator)
        drawn = torch.cat((ahead, torch.stack((self._order.draw(count), seeds))), dim=1)
        return drawn[0], drawn[1]

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the data and the state of the episode seed generator."""
        state = {"order": self._order.state_dict(), "episode_seeds": self._generator.get_state()}
        ahead = torch.cat((self.queue.rest().cpu(), self._ahead), dim=1)
        return {**state, "ahead": ahead} if ahead.numel() > 0 else state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state returned by ``state_dict``."""
        self._order.load_state_dict(state["order"])
        self._generator.set_state(state["episode_seeds"])
        self.queue.clear()
        self._ahead = state.get("ahead", self._ahead[:, :0]).clone()
