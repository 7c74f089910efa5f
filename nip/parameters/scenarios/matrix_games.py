"""Parameters of the scenario of differentiable and repeated games."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from nip.parameters.agents import AgentParameters
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import Count, NonNegative
from nip.utils.memory_limit import MemoryNeed

_WITHOUT_NETWORKS = "with scenario='matrix_games', whose players are tables of numbers"


@register_parameter_class
@dataclass
class MatrixGameAgentParameters(AgentParameters):
    """A player whose parameters are its strategy."""

    initial_std: NonNegative = 1.0
    """Standard deviation of the initial parameters, around 0."""

    unused_rules: ClassVar = (
        *AgentParameters.unused_rules,
        UnusedOptionRule(
            (
                "body_lr_factor",
                "use_orthogonal_initialisation",
                "orthogonal_initialisation_gain",
            ),
            _WITHOUT_NETWORKS,
        ),
    )


@register_parameter_class
@dataclass
class MatrixGamesParameters(SubParameters):
    """How the losses of a game are computed."""

    losses: Literal["exact", "rollouts"] = "exact"
    """Exact expected losses, or estimates from rollouts (games with actions only)."""

    num_rollouts: Count = 256
    """Number of rollouts per iteration."""

    num_rounds: Count = 100
    """Rounds of a rollout of a repeated game, which is cut off there."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("num_rollouts", "num_rounds"),
            "unless matrix_games.losses='rollouts'",
            lambda games, _: games.losses == "exact",
        ),
    )

    def memory_needs(
        self, at: Callable[[str], str], hyper_params: SubParameters
    ) -> Iterator[MemoryNeed]:
        """State the size of the actions of all rollouts."""
        if hyper_params.get("scenario") == "matrix_games" and self.losses == "rollouts":
            options = {name: getattr(self, name) for name in ("num_rollouts", "num_rounds")}
            needed = 4 * self.num_rollouts * self.num_rounds
            yield MemoryNeed("a batch", {at(key): options[key] for key in options}, needed)
