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


class GradientCurvature(Curvature):
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
        self._gradient = gradient
        self._parameters = parameters

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(each.numel() for each in self._parameters)

    def product(self, vector: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
        """Return the Hessian times a vector."""
        return self._derivative(vector)

    def rows(self, indices: Int[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Return the rows of the Hessian, one backward pass each."""
        chosen = torch.zeros(len(indices), self.size).to(self._parameters[0])
        chosen[torch.arange(len(indices)), indices] = 1.0
        return torch.stack([self._derivative(row) for row in chosen])

    def _derivative(self, weights: Tensor) -> Tensor:
        gradient = self._gradient()
        if not gradient.requires_grad:
            return torch.zeros_like(gradient)
        parts = torch.autograd.grad(
            gradient,
            self._parameters,
            grad_outputs=weights,
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return torch.cat([part.flatten() for part in parts])
