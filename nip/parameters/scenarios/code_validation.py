"""Parameters of code validation: agents, datasets and decision scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from nip.parameters.fields.outside_names import NamesOutside
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.text_agents import TextAgentParameters
from nip.parameters.types import CountOrZero, PathText

DecisionScale = Literal[
    "accept_reject", "likert_4", "likert_5", "likert_6", "likert_7", "out_of_10", "out_of_100"
]
"""Scales on which a verifier decides."""


@register_parameter_class
@dataclass
class CodeValidationAgentParameters(TextAgentParameters):
    """A language model that argues about programs, or judges them."""


@register_parameter_class
@dataclass
class CodeValidationParameters(SubParameters):
    """Datasets and decisions of code validation."""

    apps_difficulty: Literal["introductory", "interview", "competition"] = "interview"
    """Difficulty of the problems taken from the APPS datasets."""

    apps_solution_number: CountOrZero = 0
    """Index of the solution that is used of each problem of the APPS datasets."""

    apps_exclude_flagged: bool = True
    """Leave out problems of the APPS datasets that moderation has flagged."""

    decision_scale: DecisionScale = "accept_reject"
    """Scale on which the verifier decides: two words, grades, or a number."""

    linear_reward: bool = False
    """Interpolate rewards by the position on the scale instead of rounding it to 0 or 1."""

    prompt_folder: Annotated[
        PathText | None, NamesOutside("files that are read and sent to models")
    ] = None
    """Folder of system prompts to use instead of the built-in ones."""

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require a scale with more than two grades for linear rewards."""
        if self.linear_reward and self.decision_scale == "accept_reject":
            yield (
                f"{at('linear_reward')}=True needs a scale with grades, got "
                f"{at('decision_scale')}='accept_reject'. Choose another scale, for example "
                "'out_of_100', or set it to False."
            )
