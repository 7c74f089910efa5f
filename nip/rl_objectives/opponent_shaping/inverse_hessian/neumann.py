"""Inverse-Hessian products by a Neumann series."""

import torch
from jaxtyping import Float
from torch import Tensor

from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import Curvature

NUM_POWER_ITERATIONS = 5
"""Products with the Hessian that estimate its largest eigenvalue."""

SAFETY = 1.5
"""Factor on that estimate, which is too low: the series converges up to a factor of 2."""


def neumann_series(
    curvature: Curvature, vector: Float[Tensor, " d"], *, rho: float, num_iterations: int
) -> Float[Tensor, " d"]:
    r"""Return the first terms of a series for :math:`(H + \rho I)^{-1} v`.

    .. math::

        (H + \rho I)^{-1} v = \alpha \sum_{k=0}^\infty (I - \alpha (H + \rho I))^k v

    Each term multiplies once by the Hessian. The scale :math:`\alpha` is the inverse of an
    estimate, from above, of the largest eigenvalue. After :math:`n` terms the error in the
    direction of an eigenvalue :math:`\lambda` is the share :math:`(1 - \alpha(\lambda+\rho))^n`.
    Lorraine, Vicol and Duvenaud, *Optimizing millions of hyperparameters by implicit
    differentiation* (2020), section 4.

    Parameters
    ----------
    rho : float
        Damping, above 0.
    num_iterations : int
        Number of terms after the first one.
    """

    def damped(direction: Tensor) -> Tensor:
        return curvature.product(direction) + rho * direction

    alpha = 1.0 / (SAFETY * _largest_eigenvalue(curvature, vector) + rho)
    term = vector
    total = vector.clone()
    for _ in range(num_iterations):
        term = term - alpha * damped(term)
        total = total + term
    return alpha * total


def _largest_eigenvalue(curvature: Curvature, start: Tensor) -> Tensor:
    """Estimate the largest absolute eigenvalue by power iterations."""
    norm = start.norm()
    # A vector of ones besides, in case the vector is in an eigenspace of its own.
    direction = start / norm.clamp_min(torch.finfo(start.dtype).tiny) + torch.ones_like(start)
    largest = torch.zeros_like(norm)
    for _ in range(NUM_POWER_ITERATIONS):
        direction = direction / direction.norm().clamp_min(torch.finfo(start.dtype).tiny)
        direction = curvature.product(direction)
        largest = direction.norm()
    return largest
