"""Gradient rules that anticipate the learning of others: SPG, LOLA, POLA, SOS and look-ahead."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from nip.rl_objectives.opponent_shaping.game import DifferentiableGame
from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import Curvature
from nip.rl_objectives.opponent_shaping.sos import StableShaping

Variant = Literal["spg", "pspg", "lola", "pola", "sos", "psos", "lookahead", "naive"]
"""Names of the gradient rules."""

Groups = tuple[tuple[str, ...], ...]
"""A Stackelberg sequence: groups of players, leaders first."""

InverseProduct = Callable[[str, Curvature, Tensor], Tensor]
"""Returns the inverse of a damped Hessian times a vector: (player, Hessian, vector) -> vector."""


@dataclass(frozen=True)
class Traits:
    """What distinguishes a variant from the others."""

    shapes: bool
    """Whether leaders shape the learning of followers."""

    is_clipped: bool = False
    """Whether the objectives of sampled games are the clipped ones of PPO."""

    best_responds: bool = False
    """Whether followers are taken to respond best, instead of making one step."""

    looks_ahead: bool | None = False
    """Whether leaders evaluate their own loss where the followers will be; None: optional."""

    is_stabilised: bool = False
    """Whether the weight of the shaping term is that of stable opponent shaping."""


VARIANTS: dict[Variant, Traits] = {
    "spg": Traits(shapes=True, best_responds=True),
    "pspg": Traits(shapes=True, best_responds=True, is_clipped=True),
    "lola": Traits(shapes=True, looks_ahead=None),
    "pola": Traits(shapes=True, looks_ahead=None, is_clipped=True),
    "sos": Traits(shapes=True, looks_ahead=True, is_stabilised=True),
    "psos": Traits(shapes=True, looks_ahead=True, is_stabilised=True, is_clipped=True),
    "lookahead": Traits(shapes=False, looks_ahead=True),
    "naive": Traits(shapes=False),
}
"""All variants."""


@dataclass(frozen=True)
class Corrections:
    """What a gradient rule subtracts from the plain gradients of the players' own losses.

    Players without a term are missing from its mapping.
    """

    shaping: dict[str, Tensor]
    """Shaping term of each player, before its weight."""

    lookahead: dict[str, Tensor]
    """Look-ahead term of each player."""

    shaping_weight: Tensor
    """Weight of the shaping terms, a scalar: 1 except in stable opponent shaping."""

    def of(self, player: str) -> Tensor | None:
        """Return the sum of a player's terms, to be subtracted from its gradient; None for none."""
        ahead, shaping = self.lookahead.get(player), self.shaping.get(player)
        if shaping is None:
            return ahead
        weighted = self.shaping_weight * shaping
        return weighted if ahead is None else ahead + weighted

    def direction(self, game: DifferentiableGame, player: str) -> Tensor:
        """Return the direction of descent of a player, in place of its gradient."""
        gradient, correction = game.gradient(player, player), self.of(player)
        return gradient if correction is None else gradient - correction


@dataclass(frozen=True)
class ShapingRule:
    r"""A gradient rule for games.

    A leader :math:`\ell` takes into account how each follower :math:`f` responds to its parameters.
    A follower is taken to change by :math:`-K_f \nabla_f L_f`, with its learning rate :math:`K_f =
    \eta_f I` or, for its best response, :math:`K_f = (\nabla_f^2 L_f)^{-1}`. To first order, the
    loss of the leader then has the gradient :math:`D_\ell = \nabla_\ell L_\ell - \chi_\ell -
    h_\ell` with the shaping and look-ahead terms

    .. math::

        \chi_\ell &= \sum_f (\nabla_\ell \nabla_f L_f) K_f a_f \\
        a_f &= \nabla_f L_\ell - \sum_{g \text{ after } f} (\nabla_f \nabla_g L_g) K_g a_g \\
        h_\ell &= \sum_f \eta_f (\nabla_\ell \nabla_f L_\ell) D_f .

    The vector :math:`a_f` is the gradient of the leader's loss in the parameters of a follower,
    with the responses of all players in later groups, which are computed first. With two groups
    :math:`a_f = \nabla_f L_\ell`, which gives the Stackelberg gradient (Fiez, Chasnov and Ratliff,
    2020) or, with learning rates, LOLA (Foerster et al., 2018): its shaping term, and with
    :math:`h` both of its terms.

    The published code of Hammond and Adam-Day (2024) chains the mixed derivatives of intermediate
    groups without their responses :math:`K_g`, with the opposite sign, and without the direct
    influence on groups further down; the terms above follow from the chain rule.

    Parameters
    ----------
    variant : str
        Key of ``VARIANTS``.
    groups : tuple of tuple of str, optional
        Leaders first: each player anticipates those of all later groups. None: each player
        anticipates all others, which are taken to follow their plain gradients.
    step_sizes : mapping of str to float
        :math:`\eta` of each player.
    inverse_product : callable
        Product with the inverse of a Hessian, for ``spg`` and ``pspg``.
    has_lookahead : bool
        Whether ``lola`` and ``pola`` have the look-ahead term.
    stable : StableShaping
        Weight of the shaping term for ``sos`` and ``psos``.
    """

    variant: Variant
    groups: Groups | None
    step_sizes: Mapping[str, float]
    inverse_product: InverseProduct
    has_lookahead: bool = True
    stable: StableShaping = field(default_factory=StableShaping)

    @property
    def traits(self) -> Traits:
        """What distinguishes the variant."""
        return VARIANTS[self.variant]

    def corrections(self, game: DifferentiableGame) -> Corrections:
        """Return what is subtracted from the plain gradients of a game.

        Plain gradients are computed only where terms depend on them.
        """
        shaping: dict[str, Tensor] = {}
        lookahead: dict[str, Tensor] = {}
        looks_ahead = self.traits.looks_ahead
        if looks_ahead is None:
            looks_ahead = self.has_lookahead
        for leader, levels in self._levels(game.names):
            if self.traits.shapes and levels:
                shaping[leader] = self._shaping(game, leader, levels)
            followers = [name for level in levels for name in level]
            if looks_ahead and followers:
                terms = [
                    self._lookahead(game, leader, name, shaping, lookahead) for name in followers
                ]
                lookahead[leader] = torch.stack(terms).sum(0)
        return Corrections(shaping, lookahead, self._weight(game, lookahead, shaping))

    def _lookahead(
        self,
        game: DifferentiableGame,
        leader: str,
        follower: str,
        shaping: Mapping[str, Tensor],
        lookahead: Mapping[str, Tensor],
    ) -> Tensor:
        move = game.gradient(follower, follower)
        # Without a sequence all players move at once, by their plain gradients.
        if self.groups is not None:
            for term in (shaping.get(follower), lookahead.get(follower)):
                move = move if term is None else move - term
        return game.mixed_product(leader, follower, leader, self.step_sizes[follower] * move)

    def _levels(self, names: Sequence[str]) -> list[tuple[str, list[list[str]]]]:
        """Return each player, the last one first, with the groups that it anticipates, in order.

        Players that do not learn at present do not respond.
        """
        if self.groups is None:
            others = {name: [each for each in names if each != name] for name in names}
            return [(name, [each] if each else []) for name, each in others.items()]
        groups = [[name for name in group if name in names] for group in self.groups]
        groups = [group for group in groups if group]
        return [
            (name, groups[index + 1 :])
            for index, group in reversed(list(enumerate(groups)))
            for name in group
        ]

    def _shaping(
        self, game: DifferentiableGame, leader: str, levels: Sequence[Sequence[str]]
    ) -> Tensor:
        responses: dict[str, Tensor] = {}
        for level in reversed(levels):
            moves = {}
            for follower in level:
                wanted = game.gradient(follower, leader)
                for later, response in responses.items():
                    wanted = wanted - game.mixed_product(follower, later, later, response)
                moves[follower] = self._response(game, follower, wanted)
            responses |= moves
        terms = [game.mixed_product(leader, name, name, each) for name, each in responses.items()]
        return torch.stack(terms).sum(0)

    def _response(self, game: DifferentiableGame, follower: str, wanted: Tensor) -> Tensor:
        if self.traits.best_responds:
            return self.inverse_product(follower, game.curvature(follower), wanted)
        return self.step_sizes[follower] * wanted

    def _weight(
        self,
        game: DifferentiableGame,
        lookahead: Mapping[str, Tensor],
        shaping: Mapping[str, Tensor],
    ) -> Tensor:
        if not self.traits.is_stabilised:
            return torch.ones(())
        plain = {name: game.gradient(name, name) for name in game.names}
        gradient, ahead, shaped = (
            torch.cat([terms.get(name, torch.zeros_like(plain[name])) for name in game.names])
            for terms in (plain, lookahead, shaping)
        )
        return self.stable.weight(gradient, gradient - ahead, shaped)
