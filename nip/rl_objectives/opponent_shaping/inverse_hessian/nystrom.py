"""Inverse-Hessian products by a Nyström approximation of the Hessian."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import Curvature


@dataclass(frozen=True)
class NystromSketch:
    r"""Some rows of a Hessian, and the product with the inverse of what they stand for.

    With the rows :math:`C = H_{J,:}` and :math:`W = H_{J,J}`, the Hessian is approximated by
    :math:`C^\top W^+ C`, and by the Woodbury identity

    .. math::

        (C^\top W^+ C + \rho I)^{-1} v = \frac v\rho -
        \frac 1{\rho^2} C^\top \left(W + \frac 1\rho C C^\top\right)^+ C v .

    It is exact if the rank of the rows is that of the Hessian. Hataya and Yamada, *Nyström method
    for accurate and scalable implicit differentiation* (2023), equations 4 to 6.
    """

    rows: Float[Tensor, "k d"]
    """The rows, :math:`C`."""

    core: Float[Tensor, "k k"]
    """Their entries at the chosen indices, :math:`W`."""

    def inverse_product(
        self, vector: Float[Tensor, " d"], *, rho: float, jitter: float = 0.0
    ) -> Float[Tensor, " d"]:
        """Return the inverse of the damped approximation times a vector.

        Parameters
        ----------
        vector : Tensor
            The vector.
        rho : float
            Damping, above 0.
        jitter : float
            Added to the diagonal of the small system. It is not needed for stability, because the
            system is solved by its pseudo-inverse; the published code adds a tenth of ``rho``.
        """
        # With a small rho, the result is a small difference of large numbers.
        rows, core, exact = self.rows.double(), self.core.double(), vector.double()
        system = core + rows @ rows.T / rho
        system = (system + system.T) / 2 + jitter * torch.eye(len(system)).to(system)
        inner = torch.linalg.pinv(system, hermitian=True) @ (rows @ exact)
        return (exact / rho - rows.T @ inner / rho**2).to(vector)


def nystrom_sketch(curvature: Curvature, *, rank: int, generator: torch.Generator) -> NystromSketch:
    """Draw ``rank`` different rows of a Hessian; all of them if there are fewer."""
    indices = torch.randperm(curvature.size, generator=generator)[:rank]
    rows = curvature.rows(indices)
    return NystromSketch(rows, rows[:, indices.to(rows.device)])
