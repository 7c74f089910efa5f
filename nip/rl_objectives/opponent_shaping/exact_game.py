"""Games whose losses are known functions of the parameters, with exact second derivatives."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nip.rl_objectives.opponent_shaping.game import DifferentiableGame
from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import GradientCurvature


class ExactGame(DifferentiableGame):
    """A game whose losses are given with their graphs.

    Parameters
    ----------
    parameters : mapping of str to sequence of Tensor
        Parameters of each player.
    losses : mapping of str to Tensor
        Loss of each player, a scalar.
    """

    def __init__(
        self, parameters: Mapping[str, Sequence[Tensor]], losses: Mapping[str, Tensor]
    ) -> None:
        self.names = tuple(parameters)
        self._parameters = {name: tuple(each) for name, each in parameters.items()}
        self._losses = losses
        self._gradients: dict[tuple[str, str], Tensor] = {}

    def gradient(self, player: str, loss: str) -> Tensor:
        """Return the gradient of a loss in the parameters of a player."""
        return self._gradient(player, loss).detach()

    def mixed_product(self, row: str, column: str, loss: str, vector: Tensor) -> Tensor:
        """Return the mixed second derivative times a vector."""
        directional = self._gradient(column, loss) @ vector
        return flat_gradient(directional, self._parameters[row]).detach()

    def curvature(self, player: str) -> GradientCurvature:
        """Return the Hessian of a player's loss in its parameters."""
        parameters = self._parameters[player]
        return GradientCurvature(lambda: self._gradient(player, player), parameters)

    def _gradient(self, player: str, loss: str) -> Tensor:
        if (player, loss) not in self._gradients:
            self._gradients[player, loss] = flat_gradient(
                self._losses[loss], self._parameters[player], create_graph=True
            )
        return self._gradients[player, loss]


def flat_gradient(
    value: Tensor,
    parameters: tuple[Tensor, ...],
    *,
    weights: Tensor | None = None,
    create_graph: bool = False,
) -> Tensor:
    """Return the gradient of a tensor as one vector, zeros where it does not depend on them.

    The graph is kept for further derivatives.

    Parameters
    ----------
    value : Tensor
        A scalar, or any tensor with ``weights`` of the same shape.
    parameters : tuple of Tensor
        The parameters, one after another in the result.
    weights : Tensor, optional
        Weights of the entries of the tensor.
    create_graph : bool
        Whether the result is differentiable.
    """
    if not value.requires_grad:
        return torch.cat([torch.zeros_like(each).flatten() for each in parameters])
    parts = torch.autograd.grad(
        value,
        parameters,
        grad_outputs=weights,
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
        materialize_grads=True,
    )
    return torch.cat([part.flatten() for part in parts])
