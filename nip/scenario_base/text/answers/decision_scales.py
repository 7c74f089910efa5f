"""The ways in which a verifier can word its verdict."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from nip.errors import UnknownNameError, unknown_name
from nip.protocols.rules import Decision

_NUMBER = re.compile(r"(\d+)(?:\s*(?:/|out of)\s*(\d+))?")


class ScaleDecision(NamedTuple):
    """A verdict that was understood."""

    decision: int
    """0 (reject) or 1 (accept)."""

    value: float
    """Its place on the scale, from -1 (reject) to 1 (accept)."""


def decision_of(value: float) -> ScaleDecision:
    """Return the decision that belongs to a place on a scale.

    The verifier accepts only what has convinced it: the middle of a scale is a rejection.
    """
    return ScaleDecision(int(Decision.ACCEPT if value > 0 else Decision.REJECT), value)


class DecisionScale(ABC):
    """A way of wording verdicts."""

    @property
    @abstractmethod
    def instruction(self) -> str:
        """How the last line of a deciding message looks, for the verifier's prompt."""

    @abstractmethod
    def read(self, text: str) -> ScaleDecision | None:
        """Understand what stands behind "Decision:"; None if it is no verdict of this scale.

        Parameters
        ----------
        text : str
            The words, in small letters, without markup and without punctuation around them.
        """

    @abstractmethod
    def words_for(self, decision: int) -> str:
        """Return the clearest words for 0 (reject) or 1 (accept)."""


@dataclass(frozen=True)
class GradeScale(DecisionScale):
    """Grades in words, of which one is chosen."""

    grades: tuple[str, ...]
    """The grades from rejection to acceptance, evenly spaced."""

    @property
    def instruction(self) -> str:
        """Say it."""
        lines = [f"`Decision: {grade}`" for grade in self.grades]
        choice = " or ".join(lines) if len(lines) == 2 else f"one of {', '.join(lines)}"
        middle = len(lines) % 2
        return f"{choice} (the middle one counts as a rejection)" if middle else choice

    def read(self, text: str) -> ScaleDecision | None:
        """Take exactly one grade."""
        words = " ".join(text.split())
        if words not in self.grades:
            return None
        return decision_of(2 * self.grades.index(words) / (len(self.grades) - 1) - 1)

    def words_for(self, decision: int) -> str:
        """Return the grade at one end."""
        return self.grades[-1 if decision == Decision.ACCEPT else 0]


@dataclass(frozen=True)
class NumberScale(DecisionScale):
    """A whole number from 0 to some maximum."""

    maximum: int
    """The number for certain acceptance."""

    @property
    def instruction(self) -> str:
        """Say it."""
        return (
            f"`Decision: N`, where N is a whole number from 0 (certainly reject) to {self.maximum} "
            f"(certainly accept); {self.maximum // 2} or less counts as a rejection"
        )

    def read(self, text: str) -> ScaleDecision | None:
        """Take a number, alone or with the maximum behind it."""
        found = _NUMBER.fullmatch(text.strip())
        # More digits than the maximum has are no number of this scale, however long they are.
        if found is None or len(found[1]) > len(str(self.maximum)):
            return None
        number, maximum = int(found[1]), found[2] or str(self.maximum)
        if number > self.maximum or maximum != str(self.maximum):
            return None
        return decision_of(2 * number / self.maximum - 1)

    def words_for(self, decision: int) -> str:
        """Return the number at one end."""
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
"""All scales by the names under which ``code_validation.decision_scale`` chooses them."""


def find_scale(name: str) -> DecisionScale:
    """Look a scale up.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    if name not in DECISION_SCALES:
        raise UnknownNameError(unknown_name("decision scale", name, DECISION_SCALES))
    return DECISION_SCALES[name]
