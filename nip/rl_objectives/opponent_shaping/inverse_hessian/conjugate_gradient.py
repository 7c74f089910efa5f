"""Inverse-Hessian products by the method of conjugate gradients."""

import torch
from jaxtyping import Float
from torch import Tensor

from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import Curvature


def conjugate_gradient(
    curvature: Curvature, vector: Float[Tensor, " d"], *, rho: float, num_iterations: int
) -> Float[Tensor, " d"]:
    r"""Solve :math:`(H + \rho I) x = v` by conjugate gradients (Hestenes and Stiefel, 1952).

    Every iteration multiplies once by the Hessian; as many iterations as there are different
    eigenvalues give the exact solution. As in Steihaug's method (1983), it ends at a direction in
    which the damped Hessian has no positive curvature, and returns what it has found so far, or
    the vector over ``rho`` if that is the first direction.

    Parameters
    ----------
    rho : float
        Damping, above 0.
    num_iterations : int
        Largest number of iterations.
    """
    solution = torch.zeros_like(vector)
    residual, direction = vector.clone(), vector.clone()
    size, tiny = residual @ residual, torch.finfo(vector.dtype).tiny
    smallest = torch.finfo(vector.dtype).eps ** 2 * size
    for iteration in range(num_iterations):
        if size <= smallest:
            break
        image = curvature.product(direction) + rho * direction
        curved = direction @ image
        if curved <= tiny:
            return vector / rho if iteration == 0 else solution
        step = size / curved
        solution = solution + step * direction
        residual = residual - step * image
        before, size = size, residual @ residual
        direction = residual + size / before * direction
    return solution
