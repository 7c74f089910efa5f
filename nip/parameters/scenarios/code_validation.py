"""Parameters of code validation: agents, datasets and decision scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nip.parameters.parameters_base import register_parameter_class
from nip.parameters.scenarios.dialogues import DialogueParameters
from nip.parameters.text_agents import TextAgentParameters
from nip.parameters.types import CountOrZero


@register_parameter_class
@dataclass
class CodeValidationAgentParameters(TextAgentParameters):
    """A language model that argues about programs, or judges them."""


@register_parameter_class
@dataclass
class CodeValidationParameters(DialogueParameters):
    """Datasets and decisions of code validation."""

    apps_difficulty: Literal["introductory", "interview", "competition"] = "interview"
    """Difficulty of the problems taken from the APPS datasets."""

    apps_solution_number: CountOrZero = 0
    """Index of the solution that is used of each problem of the APPS datasets."""

    apps_exclude_flagged: bool = True
    """Leave out problems of the APPS datasets that moderation has flagged."""
