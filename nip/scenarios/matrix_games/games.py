"""Games in which every player chooses a number, with known fixed points."""

from typing import ClassVar

from torch import Tensor

from nip.scenario_base.game import Game, Strategies


class NumberGame(Game):
    """Base class of games in which the single parameter of a player is its action."""

    def metrics(self, strategies: Strategies) -> tuple[dict[str, Tensor], ...]:
        """Return ``exact_loss`` and ``action`` of each player."""
        losses = self.losses(strategies)
        pairs = zip(losses, strategies, strict=True)
        return tuple({"exact_loss": loss, "action": each.sum()} for loss, each in pairs)


class Tandem(NumberGame):
    r"""Two players who push a tandem.

    :math:`L_1 = (x+y)^2 - 2x` and :math:`L_2 = (x+y)^2 - 2y` (Letcher et al., 2019). Without
    shaping, :math:`s = x + y` rests at 1, where both losses together are 0. The shaping term of
    LOLA alone leads to :math:`s = 1/(1-2\alpha)`, and LOLA to :math:`s =
    (1-2\alpha)/(1-4\alpha)`, with the total loss :math:`2s^2 - 2s`: each player expects the other
    to give way.
    """

    num_parameters: ClassVar = (1, 1)

    def losses(self, strategies: Strategies) -> tuple[Tensor, ...]:
        """Return the loss of each player."""
        x, y = (each.sum() for each in strategies)
        joint = (x + y) ** 2
        return joint - 2 * x, joint - 2 * y


class QuadraticStackelberg(NumberGame):
    r"""A leader with an advantage from moving first.

    The leader has :math:`(x-1)^2 + (y+1)^2`, and the follower :math:`(y-x)^2`, so that its best
    response is :math:`y = x`. Simultaneous play rests at (1, 1), where the leader's loss is 4; the
    Stackelberg solution is (0, 0) with a loss of 2. A leader that expects one step with the
    learning rate :math:`\alpha` rests at :math:`x = y = (1-2\alpha)/(1+2\alpha)`.
    """

    num_parameters: ClassVar = (1, 1)

    def losses(self, strategies: Strategies) -> tuple[Tensor, ...]:
        """Return the loss of each player."""
        x, y = (each.sum() for each in strategies)
        return (x - 1) ** 2 + (y + 1) ** 2, (y - x) ** 2


class Chain(NumberGame):
    r"""Three players, each of whom follows the one before.

    The losses :math:`(x-1)^2 + (z+1)^2`, :math:`(y-2x)^2` and :math:`(z-y)^2`. Simultaneous play
    rests at (1, 2, 2), where the first player's loss is 9; if it leads, the solution is
    (-0.2, -0.4, -0.4) with a loss of 1.8.
    """

    num_parameters: ClassVar = (1, 1, 1)

    def losses(self, strategies: Strategies) -> tuple[Tensor, ...]:
        """Return the loss of each player."""
        x, y, z = (each.sum() for each in strategies)
        return (x - 1) ** 2 + (z + 1) ** 2, (y - 2 * x) ** 2, (z - y) ** 2
