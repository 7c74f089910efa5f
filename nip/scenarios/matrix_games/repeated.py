"""Games of two players with two actions, played once or again and again."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from nip.scenario_base.game import Game, GameRollouts, Strategies

SITUATIONS = ("start", "cc", "cd", "dc", "dd")
"""What a player remembers in the iterated prisoner's dilemma: its own last action first."""

_OTHER_VIEW = (0, 1, 3, 2, 4)
"""Index of each situation as the second player sees it."""


class MatchingPennies(Game):
    r"""Two players show a coin each; the first wins if they are equal, and the second if not.

    A player shows heads with the probability :math:`\sigma(\theta)`. The only equilibrium is (1/2,
    1/2), around which plain gradients circle.
    """

    num_parameters: ClassVar = (1, 1)
    has_actions: ClassVar = True

    def losses(self, strategies: Strategies) -> tuple[Tensor, ...]:
        """Return minus the expected win of each player."""
        first, second = (2 * torch.sigmoid(each.sum()) - 1 for each in strategies)
        return -first * second, first * second

    def metrics(self, strategies: Strategies) -> tuple[dict[str, Tensor], ...]:
        """Return ``exact_loss`` and ``heads_probability`` of each player."""
        pairs = zip(self.losses(strategies), strategies, strict=True)
        return tuple(
            {"exact_loss": loss, "heads_probability": torch.sigmoid(each.sum())}
            for loss, each in pairs
        )

    def sample(
        self,
        strategies: Strategies,
        num_rollouts: int,
        num_rounds: int,
        generator: torch.Generator,
    ) -> GameRollouts:
        """Play a single round in each rollout."""
        heads = torch.sigmoid(torch.cat(list(strategies)).detach()).cpu()
        draws = torch.rand(num_rollouts, 1, 2, generator=generator, dtype=heads.dtype)
        action = (draws >= heads).long()
        win = 1.0 - 2.0 * (action[..., 0] != action[..., 1]).to(heads.dtype)
        return GameRollouts(torch.zeros_like(action), action, torch.stack((win, -win), -1))


class IteratedPrisonersDilemma(Game):
    r"""The prisoner's dilemma, repeated for ever by players who remember the last round.

    A player cooperates with the probability :math:`\sigma(\theta_s)`, where :math:`s` is one of
    ``SITUATIONS``. If both cooperate, each loses 1 in a round, if both defect 2; if one defects, it
    loses nothing and the other one 3 (Foerster et al., 2018). The reported ``exact_loss`` is that
    of an average round, :math:`(1-\gamma)` times the discounted sum that is minimised: 2 if both
    always defect, where plain gradients lead, and 1 if both always cooperate, as by tit for tat.

    Parameters
    ----------
    discount : float
        :math:`\gamma`.
    """

    num_parameters: ClassVar = (5, 5)
    has_actions: ClassVar = True

    _REWARDS: ClassVar = ((-1.0, -3.0, 0.0, -2.0), (-1.0, 0.0, -3.0, -2.0))
    """Reward of each player after cc, cd, dc and dd, in the view of the first one."""

    def __init__(self, discount: float) -> None:
        self.discount = discount

    def losses(self, strategies: Strategies) -> tuple[Tensor, ...]:
        """Return minus the expected discounted sum of rewards of each player."""
        visits = self._visits(strategies)
        rewards = torch.tensor(self._REWARDS).to(visits)
        return tuple(-(visits @ row) for row in rewards)

    def metrics(self, strategies: Strategies) -> tuple[dict[str, Tensor], ...]:
        """Return ``exact_loss`` and ``cooperation`` on average, and that in each situation."""
        share = (1 - self.discount) * self._visits(strategies)
        cooperation = share[:2].sum(), share[[0, 2]].sum()
        losses = [(1 - self.discount) * each for each in self.losses(strategies)]
        return tuple(
            {
                "exact_loss": loss,
                "cooperation": mean,
                **{
                    f"cooperation_after_{name}": probability
                    for name, probability in zip(SITUATIONS, torch.sigmoid(each), strict=True)
                },
            }
            for loss, mean, each in zip(losses, cooperation, strategies, strict=True)
        )

    def sample(
        self,
        strategies: Strategies,
        num_rollouts: int,
        num_rounds: int,
        generator: torch.Generator,
    ) -> GameRollouts:
        """Play some rounds in each rollout."""
        table = torch.sigmoid(torch.stack(list(strategies), -1).detach()).cpu()
        view = torch.tensor(_OTHER_VIEW)
        shape = (num_rounds, num_rollouts, 2)
        draws = torch.rand(shape, generator=generator, dtype=table.dtype)
        situations, actions = [], []
        joint = torch.zeros(num_rollouts, dtype=torch.long)
        for draw in draws:
            situation = torch.stack((joint, view[joint]), -1)
            action = (draw >= table.gather(0, situation)).long()
            joint = 1 + 2 * action[:, 0] + action[:, 1]
            situations.append(situation)
            actions.append(action)
        action = torch.stack(actions, 1)
        rewards = torch.tensor(self._REWARDS, dtype=table.dtype)
        reward = rewards.T[2 * action[..., 0] + action[..., 1]]
        return GameRollouts(torch.stack(situations, 1), action, reward)

    def _visits(self, strategies: Strategies) -> Float[Tensor, "outcome"]:
        """Return the expected discounted number of rounds with each outcome, by a linear system."""
        first, second = torch.sigmoid(strategies[0]), torch.sigmoid(strategies[1])
        second = second[list(_OTHER_VIEW)]
        outcomes = torch.stack(
            (
                first * second,
                first * (1 - second),
                (1 - first) * second,
                (1 - first) * (1 - second),
            ),
            -1,
        )
        start, moves = outcomes[0], outcomes[1:]
        identity = torch.eye(4).to(moves)
        return torch.linalg.solve((identity - self.discount * moves).T, start)
