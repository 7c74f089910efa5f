"""Stable opponent shaping: how much of the shaping term is safe."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class StableShaping:
    r"""Weight of the shaping term in stable opponent shaping (SOS).

    With the stacked gradients :math:`\xi` of all players, the look-ahead gradient :math:`\xi_0 =
    \xi - h` and the shaping term :math:`\chi`, the direction is :math:`\xi_0 - p \chi` with
    :math:`p = \min(p_1, p_2)`:

    .. math::

        p_1 &= \begin{cases} 1 & -\chi \cdot \xi_0 \ge 0 \\
               \min(1, a \|\xi_0\|^2 / (\chi \cdot \xi_0)) & \text{otherwise} \end{cases} \\
        p_2 &= \begin{cases} \|\xi\|^2 & \|\xi\| < b \\ 1 & \text{otherwise} \end{cases}

    :math:`p_1` keeps the direction from turning against :math:`\xi_0`, so that saddle points are
    left; :math:`p_2` vanishes at fixed points of the game, so that they are kept. Letcher et al.,
    *Stable opponent shaping in differentiable games* (2019), algorithm 1.
    """

    scaling_factor: float = 0.5
    """:math:`a`, between 0 and 1."""

    threshold_factor: float = 0.1
    """:math:`b`, between 0 and 1."""

    def weight(self, gradient: Tensor, lookahead: Tensor, shaping: Tensor) -> Tensor:
        r"""Return :math:`p`, a scalar.

        Parameters
        ----------
        gradient : Tensor
            :math:`\xi`, the plain gradients of all players, before any correction.
        lookahead : Tensor
            :math:`\xi_0`.
        shaping : Tensor
            :math:`\chi`.
        """
        one = torch.ones_like(gradient[0])
        against = shaping @ lookahead
        bound = self.scaling_factor * (lookahead @ lookahead) / against.clamp_min(1e-30)
        first = torch.where(against > 0, torch.minimum(one, bound), one)
        squared = gradient @ gradient
        second = torch.where(squared < self.threshold_factor**2, squared, one)
        return torch.minimum(first, second)
