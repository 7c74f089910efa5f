"""Base class of differentiable games: all derivatives that gradient rules need."""

from abc import ABC, abstractmethod

from torch import Tensor

from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import Curvature


class DifferentiableGame(ABC):
    r"""Players with parameters :math:`\theta_j`, and one loss :math:`L_i` for each of them.

    All vectors are flat: a player's parameters one after another.
    """

    names: tuple[str, ...]
    """The players that learn."""

    @abstractmethod
    def gradient(self, player: str, loss: str) -> Tensor:
        r"""Return :math:`\nabla_j L_i`.

        Parameters
        ----------
        player : str
            Whose parameters, :math:`j`.
        loss : str
            Whose loss, :math:`i`.
        """

    @abstractmethod
    def mixed_product(self, row: str, column: str, loss: str, vector: Tensor) -> Tensor:
        r"""Return :math:`(\nabla_j \nabla_k L_i) v`, the gradient of :math:`v \cdot \nabla_k L_i`.

        Parameters
        ----------
        row : str
            Player :math:`j`, whose parameters the result belongs to.
        column : str
            Another player :math:`k`, whose parameters the vector belongs to.
        loss : str
            Whose loss, :math:`i`.
        vector : Tensor
            The vector :math:`v`.
        """

    @abstractmethod
    def curvature(self, player: str) -> Curvature:
        r"""Return :math:`\nabla_j^2 L_j`, the Hessian of a player's loss in its parameters."""
