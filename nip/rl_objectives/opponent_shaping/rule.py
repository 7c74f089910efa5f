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
class Directions:
    """The directions of descent of all players, and what they are made of."""

    total: dict[str, Tensor]
    """Direction of each player, in place of its gradient."""

    shaping: dict[str, Tensor]
    """Shaping term of each player."""

    lookahead: dict[str, Tensor]
    """Look-ahead term of each player."""

    shaping_weight: Tensor
    """Weight of the shaping terms, a scalar: 1 except in stable opponent shaping."""


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

    def directions(self, game: DifferentiableGame) -> Directions:
        """Return the directions of descent of all players of a game."""
        plain = {name: game.gradient(name, name) for name in game.names}
        zeros = {name: torch.zeros_like(vector) for name, vector in plain.items()}
        shaping, lookahead, corrected = dict(zeros), dict(zeros), dict(plain)
        looks_ahead = self.traits.looks_ahead
        if looks_ahead is None:
            looks_ahead = self.has_lookahead
        for leader, levels in self._levels(game.names):
            if self.traits.shapes and levels:
                shaping[leader] = self._shaping(game, leader, levels)
            followers = [name for level in levels for name in level]
            # Without a sequence all players move at once, by their plain gradients.
            moves = plain if self.groups is None else corrected
            if looks_ahead and followers:
                terms = [
                    game.mixed_product(leader, name, leader, self.step_sizes[name] * moves[name])
                    for name in followers
                ]
                lookahead[leader] = torch.stack(terms).sum(0)
            corrected[leader] = plain[leader] - shaping[leader] - lookahead[leader]
        weight = self._weight(plain, lookahead, shaping)
        total = {
            name: plain[name] - lookahead[name] - weight * shaping[name] for name in game.names
        }
        return Directions(total, shaping, lookahead, weight)

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
        plain: Mapping[str, Tensor],
        lookahead: Mapping[str, Tensor],
        shaping: Mapping[str, Tensor],
    ) -> Tensor:
        stacked = [torch.cat(list(each.values())) for each in (plain, lookahead, shaping)]
        if not self.traits.is_stabilised:
            return torch.ones_like(stacked[0][0])
        gradient, ahead, shaped = stacked
        return self.stable.weight(gradient, gradient - ahead, shaped)
