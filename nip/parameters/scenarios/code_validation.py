"""Parameters of code validation: its agents, its data, and how a verdict is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.text_agents import TextAgentParameters
from nip.parameters.types import CountOrZero

DecisionScale = Literal[
    "accept_reject", "likert_4", "likert_5", "likert_6", "likert_7", "out_of_10", "out_of_100"
]
"""Ways in which a verifier gives its verdict."""


@register_parameter_class
@dataclass
class CodeValidationAgentParameters(TextAgentParameters):
    """A language model that argues about programs, or judges them."""


@register_parameter_class
@dataclass
class CodeValidationParameters(SubParameters):
    """The data and the verdicts of code validation."""

    apps_difficulty: Literal["introductory", "interview", "competition"] = "interview"
    """Difficulty of the problems taken from the APPS datasets."""

    apps_solution_number: CountOrZero = 0
    """Which of the solutions to each problem of the APPS datasets is taken, counted from 0."""

    apps_exclude_flagged: bool = True
    """Leave out problems of the APPS datasets that moderation has flagged."""

    decision_scale: DecisionScale = "accept_reject"
    """How the verifier words its verdict: two words, grades, or a number."""

    linear_reward: bool = False
    """Pay in proportion to the verdict's place on the scale, not by its side of the middle."""

    prompt_folder: str | None = None
    """Folder of system prompts to use instead of the built-in ones."""

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require a scale that has more than two places for rewards in proportion."""
        if self.linear_reward and self.decision_scale == "accept_reject":
            yield (
                f"{at('linear_reward')}=True needs a scale with grades, got "
                f"{at('decision_scale')}='accept_reject'. Choose another scale, for example "
                "'out_of_100', or set it to False."
            )
