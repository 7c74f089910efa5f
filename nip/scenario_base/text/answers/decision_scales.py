"""Scales on which a verifier words its decision: grades in words, or whole numbers."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from nip.errors import UnknownNameError, unknown_name
from nip.protocols.rules import Decision

_NUMBER = re.compile(r"(\d+)(?:\s*(?:/|out of)\s*(\d+))?")


class ScaleDecision(NamedTuple):
    """A decision that was read from a text."""

    decision: int
    """0 (reject) or 1 (accept)."""

    value: float
    """Position on the scale, from -1 (reject) to 1 (accept)."""


def decision_of(value: float) -> ScaleDecision:
    """Return the decision at a position on a scale; the middle is a rejection."""
    return ScaleDecision(int(Decision.ACCEPT if value > 0 else Decision.REJECT), value)


class DecisionScale(ABC):
    """Base class of decision scales."""

    is_numeric: ClassVar[bool] = False
    """Whether decisions are numbers instead of words."""

    @property
    @abstractmethod
    def instruction(self) -> str:
        """Format of the last line of a deciding message, for the verifier's prompt."""

    @abstractmethod
    def read(self, text: str) -> ScaleDecision | None:
        """Read the text after "Decision:"; return None if it is not on this scale.

        The text is in lower case, without markup and without punctuation around it.
        """

    @abstractmethod
    def words_for(self, decision: int) -> str:
        """Return the wording at the end of the scale for 0 (reject) or 1 (accept)."""


@dataclass(frozen=True)
class GradeScale(DecisionScale):
    """Scale of grades in words."""

    grades: tuple[str, ...]
    """The grades from rejection to acceptance, evenly spaced."""

    @property
    def instruction(self) -> str:
        """Format of the line, with all grades."""
        lines = [f"`Decision: {grade}`" for grade in self.grades]
        choice = " or ".join(lines) if len(lines) == 2 else f"one of {', '.join(lines)}"
        middle = len(lines) % 2
        return f"{choice} (the middle one counts as a rejection)" if middle else choice

    def read(self, text: str) -> ScaleDecision | None:
        """Read a grade, which must match exactly."""
        words = " ".join(text.split())
        if words not in self.grades:
            return None
        return decision_of(2 * self.grades.index(words) / (len(self.grades) - 1) - 1)

    def words_for(self, decision: int) -> str:
        """Return the first or last grade."""
        return self.grades[-1 if decision == Decision.ACCEPT else 0]


@dataclass(frozen=True)
class NumberScale(DecisionScale):
    """Scale of whole numbers from 0 to a maximum."""

    is_numeric = True

    maximum: int
    """The number that stands for certain acceptance."""

    @property
    def instruction(self) -> str:
        """Format of the line, with the range."""
        return (
            f"`Decision: N`, where N is a whole number from 0 (certainly reject) to {self.maximum} "
            f"(certainly accept); {self.maximum // 2} or less counts as a rejection"
        )

    def read(self, text: str) -> ScaleDecision | None:
        """Read a number, alone or followed by the maximum, as in ``7/10``."""
        found = _NUMBER.fullmatch(text.strip())
        # Longer numbers are refused before int(), which fails for thousands of digits.
        if found is None or len(found[1]) > len(str(self.maximum)):
            return None
        number, maximum = int(found[1]), found[2] or str(self.maximum)
        if number > self.maximum or maximum != str(self.maximum):
            return None
        return decision_of(2 * number / self.maximum - 1)

    def words_for(self, decision: int) -> str:
        """Return 0 or the maximum."""
        return str(self.maximum if decision == Decision.ACCEPT else 0)


_HALVES = {
    4: ("strongly reject", "weakly reject"),
    6: ("strongly reject", "reject", "weakly reject"),
}


def _likert(num_grades: int) -> GradeScale:
    rejecting = _HALVES[num_grades - num_grades % 2]
    accepting = tuple(grade.replace("reject", "accept") for grade in reversed(rejecting))
    return GradeScale(rejecting + ("undecided",) * (num_grades % 2) + accepting)


DECISION_SCALES: dict[str, DecisionScale] = {
    "accept_reject": GradeScale(("reject", "accept")),
    **{f"likert_{num_grades}": _likert(num_grades) for num_grades in (4, 5, 6, 7)},
    "out_of_10": NumberScale(10),
    "out_of_100": NumberScale(100),
}
"""All scales by name, as in ``code_validation.decision_scale``."""


def find_scale(name: str) -> DecisionScale:
    """Return the scale with a name, or raise an ``UnknownNameError``."""
    if name not in DECISION_SCALES:
        raise UnknownNameError(unknown_name("decision scale", name, DECISION_SCALES))
    return DECISION_SCALES[name]
