"""Parameters of the opponent pool: past versions of agents that play against the learners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Gt, Lt

from nip.parameters.fields.outside_names import PLAIN_TEXT
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import Count, Period


@register_parameter_class
@dataclass
class OpponentPoolParameters(SubParameters):
    """Opponent pool: past versions of agents that play in a share of the episodes."""

    agents: Annotated[tuple[str, ...], PLAIN_TEXT] = ()
    """Names of the agents whose past versions play; without any, there is no pool."""

    share: Annotated[float, Gt(0), Lt(1)] = 0.5
    """Probability that a past version of one of these agents plays in an episode."""

    snapshot_every: Period = 10
    """Number of iterations between snapshots."""

    max_size: Count = 10
    """Number of snapshots of each agent that are kept, spread over all of its past."""

    sampling: Literal["uniform", "recent", "prioritised"] = "uniform"
    """Which snapshot plays: any, mostly recent ones, or mostly those with a high reward."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("share", "snapshot_every", "max_size", "sampling"),
            "unless opponent_pool.agents names an agent",
            lambda params, _: not params.agents,
        ),
    )

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require that each agent is named once."""
        if len(set(self.agents)) < len(self.agents):
            yield f"{at('agents')} must name each agent once, got {list(self.agents)}."
