"""The methods for inverse-Hessian products, by name."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from nip.rl_objectives.opponent_shaping.inverse_hessian.conjugate_gradient import (
    conjugate_gradient,
)
from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import Curvature
from nip.rl_objectives.opponent_shaping.inverse_hessian.neumann import neumann_series
from nip.rl_objectives.opponent_shaping.inverse_hessian.nystrom import (
    NystromSketch,
    nystrom_sketch,
)

IhvpVariant = Literal["nystrom", "conj_grad", "neumann"]
"""Names of the methods."""


@dataclass
class InverseHessian:
    """Multiplies vectors by the inverse of the damped Hessian of a player.

    The rows of ``nystrom`` are kept for a number of updates, because they cost most of the time and
    Hessians change slowly. They are not part of ``generator``'s state, so ``forget`` them where a
    run may be interrupted.
    """

    variant: IhvpVariant
    """The method."""

    rho: float
    """Damping."""

    num_iterations: int
    """Iterations of ``conj_grad`` and terms of ``neumann``."""

    rank: int
    """Number of rows of ``nystrom``."""

    generator: torch.Generator
    """Chooses the rows of ``nystrom``; a generator of the CPU."""

    num_updates_per_sketch: int = 1
    """Number of updates for which the rows are kept."""

    _sketches: dict[str, tuple[NystromSketch, int]] = field(default_factory=dict)

    def product(self, player: str, curvature: Curvature, vector: Tensor) -> Tensor:
        """Return the inverse of the damped Hessian of a player, times a vector."""
        if self.variant == "conj_grad":
            return conjugate_gradient(
                curvature, vector, rho=self.rho, num_iterations=self.num_iterations
            )
        if self.variant == "neumann":
            return neumann_series(
                curvature, vector, rho=self.rho, num_iterations=self.num_iterations
            )
        return self._sketch(player, curvature).inverse_product(vector, rho=self.rho)

    def begin_update(self) -> None:
        """Count an update, and forget the rows that are too old."""
        self._sketches = {
            player: (sketch, age + 1)
            for player, (sketch, age) in self._sketches.items()
            if age + 1 < self.num_updates_per_sketch
        }

    def forget(self) -> None:
        """Forget all rows."""
        self._sketches = {}

    def _sketch(self, player: str, curvature: Curvature) -> NystromSketch:
        if player not in self._sketches:
            sketch = nystrom_sketch(curvature, rank=self.rank, generator=self.generator)
            self._sketches[player] = (sketch, 0)
        return self._sketches[player][0]
