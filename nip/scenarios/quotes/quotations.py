"""Quotations in messages: finding them, and marking whether they are in the passage."""

import re
from dataclasses import dataclass

from nip.scenario_base.text.answers.plain_text import INVISIBLE

VERIFIED = "[verified]"
"""Mark behind a quotation that is in the passage."""

NOT_VERIFIED = "[not verified]"
"""Mark behind a quotation that is not."""

_QUOTATION = re.compile('["“”]([^"“”\n]*)["“”]')
_AROUND = " \t\r.,;:!?"
_FORGED_MARK = re.compile(
    rf"[\[［](?=(?:\s|{INVISIBLE.pattern})*+(?:not|un)?(?:\s|{INVISIBLE.pattern})*+v)",
    re.IGNORECASE,
)
"""First character of what a reader could take for a mark."""


@dataclass(frozen=True)
class Quotation:
    """A text in quotation marks."""

    text: str
    """What is between the quotation marks, without spaces and punctuation around it."""

    is_verified: bool
    """Whether it is part of a sentence of the passage, word for word."""

    end: int
    """Index behind the closing quotation mark."""


def find_quotations(message: str, passage: str) -> list[Quotation]:
    """Return the quotations of a message, in order.

    A quotation is between two quotation marks on one line. It is verified if its words follow each
    other in one line of the passage; upper case, spaces and punctuation around it are ignored. An
    empty quotation is not verified.
    """
    lines = [f" {' '.join(_words(line))} " for line in passage.splitlines()]
    found = []
    for match in _QUOTATION.finditer(message):
        words = _words(match[1])
        is_verified = bool(words) and any(f" {' '.join(words)} " in line for line in lines)
        found.append(Quotation(match[1].strip(_AROUND), is_verified, match.end()))
    return found


def mark_quotations(message: str, passage: str) -> str:
    """Put a mark behind each quotation of a message.

    What looks like a mark already gets a backslash, so that nobody but the environment can mark.
    """
    pieces, start = [], 0
    for quotation in find_quotations(message, passage):
        mark = VERIFIED if quotation.is_verified else NOT_VERIFIED
        pieces.append(f"{_without_marks(message[start : quotation.end])} {mark}")
        start = quotation.end
    return "".join([*pieces, _without_marks(message[start:])])


def _words(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation around them."""
    return [word for each in text.casefold().split() if (word := each.strip(_AROUND))]


def _without_marks(text: str) -> str:
    return _FORGED_MARK.sub(r"\g<0>\\", text)
