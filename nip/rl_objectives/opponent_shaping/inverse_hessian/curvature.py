"""The Hessian of a player's loss as a linear map."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Curvature(ABC):
    """A symmetric matrix that is only known by its products and single rows."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of rows, ``d``."""

    @abstractmethod
    def product(self, vector: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
        """Return the matrix times a vector."""

    @abstractmethod
    def rows(self, indices: Int[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Return some of its rows."""


class MatrixCurvature(Curvature):
    """A matrix that is given."""

    def __init__(self, matrix: Float[Tensor, "d d"]) -> None:
        self._matrix = matrix

    @property
    def size(self) -> int:
        """Number of rows, ``d``."""
        return len(self._matrix)

    def product(self, vector: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
        """Return the matrix times a vector."""
        return self._matrix @ vector

    def rows(self, indices: Int[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Return some of its rows."""
        return self._matrix[indices]


class ParameterCurvature(Curvature):
    """Base class of matrices of a player's parameters that are known by their products.

    Parameters
    ----------
    parameters : tuple of Tensor
        The parameters.
    """

    def __init__(self, parameters: tuple[Tensor, ...]) -> None:
        self._parameters = parameters

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(each.numel() for each in self._parameters)

    def rows(self, indices: Int[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Return some of its rows, one product each."""
        chosen = torch.zeros(len(indices), self.size).to(self._parameters[0])
        chosen[torch.arange(len(indices)), indices] = 1.0
        return torch.stack([self.product(row) for row in chosen])


class GradientCurvature(ParameterCurvature):
    """The derivative of a gradient, computed by automatic differentiation.

    Parameters
    ----------
    gradient : callable
        Returns the gradient of a loss with respect to the parameters, flat, with its graph. It is
        called for every product, and not at all if there is none.
    parameters : sequence of Tensor
        The parameters.
    """

    def __init__(
        self, gradient: Callable[[], Float[Tensor, " d"]], parameters: tuple[Tensor, ...]
    ) -> None:
        super().__init__(parameters)
        self._gradient = gradient

    def product(self, vector: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
        """Return the Hessian times a vector, by one backward pass."""
        gradient = self._gradient()
        if not gradient.requires_grad:
            return torch.zeros_like(gradient)
        parts = torch.autograd.grad(
            gradient,
            self._parameters,
            grad_outputs=vector,
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return torch.cat([part.flatten() for part in parts])


class FisherCurvature(ParameterCurvature):
    r"""The Fisher information of a player's policy, times a weight.

    :math:`\lambda\,\mathrm{mean}(s s^\top)` with the scores :math:`s`, the gradients of the
    log-probabilities of its actions. With an entropy bonus of the weight :math:`\lambda`, this is
    the Hessian of a player's loss at its best response to the others, if its policy is a table of
    logits and it acts once in an episode; else it is the part of the Hessian that remains when the
    second derivatives of the logits are left out. It has no negative eigenvalues, and an estimate
    from episodes has a much smaller variance than that of the Hessian, whose terms are multiplied
    by advantages.

    Parameters
    ----------
    slopes : callable
        Returns the change of the log-probability of each action along a vector.
    combine : callable
        Returns the mean over actions of the score times a weight, flat.
    parameters : tuple of Tensor
        The parameters.
    weight : float
        :math:`\lambda`.
    """

    def __init__(
        self,
        slopes: Callable[[Tensor], Tensor],
        combine: Callable[[Tensor], Tensor],
        parameters: tuple[Tensor, ...],
        weight: float,
    ) -> None:
        super().__init__(parameters)
        self._slopes = slopes
        self._combine = combine
        self._weight = weight

    def product(self, vector: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
        """Return the matrix times a vector."""
        return self._weight * self._combine(self._slopes(vector))
