"""Parameters of dialogues that all text scenarios have: decision scale and prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from nip.parameters.fields.outside_names import NamesOutside
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import PathText

DecisionScale = Literal[
    "accept_reject", "likert_4", "likert_5", "likert_6", "likert_7", "out_of_10", "out_of_100"
]
"""Scales on which a verifier decides."""


@register_parameter_class
@dataclass
class DialogueParameters(SubParameters):
    """Decisions and prompts of a text scenario."""

    decision_scale: DecisionScale = "accept_reject"
    """Scale on which the verifier decides: two words, grades, or a number."""

    linear_reward: bool = False
    """Interpolate rewards by the position on the scale instead of rounding it to 0 or 1."""

    prompt_folder: Annotated[
        PathText | None, NamesOutside("files that are read and sent to models")
    ] = None
    """Folder of system prompts to use instead of the built-in ones."""

    def dialogue_options(self) -> dict[str, Any]:
        """Return these options under their names in ``DialogueOptions``."""
        folder = self.prompt_folder
        return {
            "decision_scale": self.decision_scale,
            "linear_reward": self.linear_reward,
            "prompt_folder": None if folder is None else Path(folder),
        }

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require a scale with more than two grades for linear rewards."""
        if self.linear_reward and self.decision_scale == "accept_reject":
            yield (
                f"{at('linear_reward')}=True needs a scale with grades, got "
                f"{at('decision_scale')}='accept_reject'. Choose another scale, for example "
                "'out_of_100', or set it to False."
            )
