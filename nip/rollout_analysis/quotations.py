"""Detection of quotations of a program in a text, and whether they are accurate."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

_FENCED = re.compile(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`|“([^“”\n]+)”|\"([^\"\n]+)\"")
_SPACE = re.compile(r"\s+")

MIN_LENGTH = 6
"""Minimum length of a quotation without spaces; shorter code is a name or a value."""

MIN_SIMILARITY = 0.6
"""Minimum similarity to a line of the program for code to count as an inaccurate quotation.

Similarity is the ratio of ``difflib``: twice the matching characters over the characters of both.
"""


def is_quoted_accurately(text: str, program: str) -> bool | None:
    """Return whether all quotations of a program in a text are verbatim; None if there are none.

    Quotations are lines of fenced code, and text in backticks or quotation marks, that occur in the
    program or are similar to one of its lines, ignoring whitespace. Other marked text, such as an
    example input, is not a quotation.
    """
    whole = _without_spaces(program)
    lines = [line for each in program.split("\n") if (line := _without_spaces(each))]
    found = False
    for piece in map(_without_spaces, _marked_pieces(text)):
        if len(piece) < MIN_LENGTH:
            continue
        if piece in whole:
            found = True
        elif any(_is_similar(piece, line) for line in lines):
            return False
    return True if found else None


def _marked_pieces(text: str) -> Iterator[str]:
    """Yield the lines of fenced code, and text in other marks outside of fences."""
    for block in _FENCED.findall(text):
        yield from block.split("\n")
    for groups in _SPAN.findall(_FENCED.sub("\n", text)):
        yield "".join(groups)


def _without_spaces(text: str) -> str:
    return _SPACE.sub("", text)


def _is_similar(piece: str, line: str) -> bool:
    matcher = SequenceMatcher(None, piece, line, autojunk=False)
    # The quick ratios are upper bounds and avoid most of the full comparisons.
    return (
        matcher.real_quick_ratio() >= MIN_SIMILARITY
        and matcher.quick_ratio() >= MIN_SIMILARITY
        and matcher.ratio() >= MIN_SIMILARITY
    )
