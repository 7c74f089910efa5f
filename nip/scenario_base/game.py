"""Base class of games with known losses, played by strategies instead of networks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

Strategies = Sequence[Tensor]
"""The parameters of each player, each a vector."""


@dataclass(frozen=True)
class GameRollouts:
    """Sampled rounds of a game."""

    situation: Int[Tensor, "rollout round player"]
    """Index of the parameter that determined the action of each player."""

    action: Int[Tensor, "rollout round player"]
    """Actions, 0 or 1."""

    reward: Float[Tensor, "rollout round player"]
    """Rewards."""


class Game(ABC):
    """A game whose losses are functions of the players' parameters."""

    num_parameters: ClassVar[tuple[int, ...]]
    """Number of parameters of each player."""

    has_actions: ClassVar[bool] = False
    """Whether rollouts can be sampled."""

    @property
    def num_players(self) -> int:
        """Number of players."""
        return len(self.num_parameters)

    @abstractmethod
    def losses(self, strategies: Strategies) -> tuple[Tensor, ...]:
        """Return the exact loss of each player, which it minimises, a scalar with its graph."""

    @abstractmethod
    def metrics(self, strategies: Strategies) -> tuple[dict[str, Tensor], ...]:
        """Return what each player does and how it fares: its metrics by name."""

    def sample(
        self, strategies: Strategies, num_rollouts: int, num_rounds: int, generator: torch.Generator
    ) -> GameRollouts:
        """Play the game."""
        raise NotImplementedError(f"{type(self).__name__} has no actions.")
