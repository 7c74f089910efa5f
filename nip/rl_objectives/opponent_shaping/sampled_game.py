"""Games that are only known by sampled episodes: derivatives of expected returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nip.rl_objectives.opponent_shaping.episode_pairs import pair_weights
from nip.rl_objectives.opponent_shaping.exact_game import flat_gradient
from nip.rl_objectives.opponent_shaping.game import DifferentiableGame
from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import (
    Curvature,
    FisherCurvature,
    GradientCurvature,
)
from nip.utils.ranks import current_ranks

MixedDerivative = Literal["episodes", "mean_scores"]
"""Estimators of mixed second derivatives."""


@dataclass(frozen=True)
class SampledActions:
    """The actions of one player in a batch of episodes."""

    parameters: tuple[Tensor, ...]
    """Parameters of its policy."""

    ratio: Float[Tensor, "environment step"]
    """Present probability of its action over that at collection, with its graph; 1 where it has no
    turn."""

    takes_turn: Float[Tensor, "environment step"]
    """1 where it has a turn, else 0."""

    num_turns: Float[Tensor, ""]
    """Number of its turns, or their average over ranks."""

    regularizer: Float[Tensor, ""]
    """Added to its own loss, with its graph: the negative entropy of its policy, for instance."""


@dataclass
class SampledGame(DifferentiableGame):
    r"""A game whose losses are estimated from episodes that the players have played.

    The entry :math:`M_{ji} = -\mathrm{mean}(\rho_j A_i)` of the objective matrix is the loss of
    player :math:`i` as far as it depends on the actions of player :math:`j`: the mean, over the
    turns of :math:`j`, of the probability ratio of its action times the advantage of :math:`i` at
    that turn. So :math:`\nabla_j L_i = \nabla_j M_{ji}`, the policy gradient of the return of
    :math:`i` in the parameters of :math:`j`. With ``clip_epsilon`` the entries are the clipped ones
    of PPO.

    Everything is a mean over turns and averaged over all ranks, so that no derivative depends on
    the size of the minibatch.
    """

    players: Mapping[str, SampledActions]
    """The players that learn."""

    advantages: Mapping[str, Float[Tensor, "environment step"]]
    """Advantage of each player at all turns, also at those of others."""

    done: Bool[Tensor, "environment step"]
    """Where an episode ends."""

    discount: float
    """Discount per step between two actions."""

    clip_epsilon: float | None = None
    """Clipping range of the ratios; None: they are not clipped."""

    mixed_derivative: MixedDerivative = "episodes"
    """How mixed second derivatives are estimated: ``episodes`` sums over pairs of actions in the
    same episode, which is unbiased (see ``pair_weights``); ``mean_scores`` multiplies means, as the
    published code does."""

    fisher_weight: float | None = None
    """Weight of the Fisher information that stands for the Hessian of a player's own loss, that of
    the entropy bonus; None: the Hessian itself."""

    _cache: dict[tuple[str, ...], Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = tuple(self.players)

    def loss(self, player: str, loss: str) -> Tensor:
        """Return an entry of the objective matrix, with its graph."""
        actions, advantage = self.players[player], self.advantages[loss]
        value = actions.ratio * advantage
        if self.clip_epsilon is not None:
            value = torch.minimum(value, self._factor(player) * advantage)
        return -(value * actions.takes_turn).sum() / actions.num_turns.clamp_min(1e-6)

    def gradient(self, player: str, loss: str) -> Tensor:
        """Return the policy gradient of a loss, with the player's regulariser if it is its own."""
        return self._gradient(player, loss).detach()

    def mixed_product(self, row: str, column: str, loss: str, vector: Tensor) -> Tensor:
        """Return an estimate of the mixed second derivative times a vector."""
        if self.mixed_derivative == "mean_scores":
            return self._product_of_means(row, column, loss, vector)
        slopes = self._slopes(column, vector)
        weights = pair_weights(slopes, self.advantages[loss], self.done, self.discount)
        return self._weighted_scores(row, -weights)

    def curvature(self, player: str) -> Curvature:
        """Return the Hessian of a player's own entry of the objective matrix, or its stand-in."""
        parameters = self.players[player].parameters
        if self.fisher_weight is not None:
            return FisherCurvature(
                lambda vector: self._slopes(player, vector),
                lambda weights: self._weighted_scores(player, weights),
                parameters,
                self.fisher_weight,
            )
        return _AveragedCurvature(
            lambda: self._gradient(player, player, has_graph=True), parameters
        )

    def _product_of_means(self, row: str, column: str, loss: str, vector: Tensor) -> Tensor:
        r"""Return :math:`(S_k \cdot v) \nabla_j L_i + (\nabla_k L_i \cdot v) S_j`.

        :math:`S_j` is the mean score of player :math:`j`. The mean of a product is replaced by the
        products of means, which costs no further derivative. With episodes of the present policy
        the expected mean score is 0, so that this vanishes with the size of the batch.
        """
        own = self._policy_gradient(row, loss)
        other = self._policy_gradient(column, loss)
        return (self._score(column) @ vector) * own + (other @ vector) * self._score(row)

    def _gradient(self, player: str, loss: str, *, has_graph: bool = False) -> Tensor:
        key = ("graph" if has_graph else "gradient", player, loss)
        if key not in self._cache:
            actions, value = self.players[player], self.loss(player, loss)
            if player == loss:
                value = value + actions.regularizer
            vector = flat_gradient(value, actions.parameters, create_graph=has_graph)
            self._cache[key] = vector if has_graph else self._averaged(vector)
        return self._cache[key]

    def _policy_gradient(self, player: str, loss: str) -> Tensor:
        if player != loss:
            return self._gradient(player, loss)
        key = ("policy", player)
        if key not in self._cache:
            parameters = self.players[player].parameters
            self._cache[key] = self._averaged(flat_gradient(self.loss(player, loss), parameters))
        return self._cache[key]

    def _score(self, player: str) -> Tensor:
        """Return the mean score of a player over its turns."""
        key = ("score", player)
        if key not in self._cache:
            ones = torch.ones_like(self.players[player].takes_turn)
            self._cache[key] = self._weighted_scores(player, ones)
        return self._cache[key]

    def _weighted_scores(self, player: str, weights: Tensor) -> Tensor:
        """Return the mean over a player's turns of its scores times weights."""
        actions = self.players[player]
        weights = weights * actions.takes_turn / actions.num_turns.clamp_min(1e-6)
        return self._averaged(
            flat_gradient(self._factor(player), actions.parameters, weights=weights)
        )

    def _slopes(self, player: str, vector: Tensor) -> Tensor:
        """Return the change of the ratio of each action along a vector, (environment, step).

        The product of a Jacobian with a vector is the derivative, in the weights, of the product of
        weights with the Jacobian.
        """
        factor = self._factor(player)
        weights_key, product_key = ("weights", player), ("product", player)
        if product_key not in self._cache:
            weights = torch.zeros_like(factor, requires_grad=True)
            product = flat_gradient(
                factor, self.players[player].parameters, weights=weights, create_graph=True
            )
            self._cache[weights_key], self._cache[product_key] = weights, product
        product = self._cache[product_key]
        if not product.requires_grad:
            return torch.zeros_like(factor)
        (slopes,) = torch.autograd.grad(
            product @ vector, self._cache[weights_key], retain_graph=True
        )
        return slopes * self.players[player].takes_turn

    def _factor(self, player: str) -> Tensor:
        """Return the ratios of a player, clipped if they are."""
        ratio = self.players[player].ratio
        if self.clip_epsilon is None:
            return ratio
        key = ("factor", player)
        if key not in self._cache:
            self._cache[key] = ratio.clamp(1 - self.clip_epsilon, 1 + self.clip_epsilon)
        return self._cache[key]

    @staticmethod
    def _averaged(vector: Tensor) -> Tensor:
        return current_ranks().mean_(vector.detach())


class _AveragedCurvature(GradientCurvature):
    """A Hessian whose products are averaged over all ranks."""

    def product(self, vector: Tensor) -> Tensor:
        """Return the Hessian times a vector."""
        return current_ranks().mean_(super().product(vector).detach())
