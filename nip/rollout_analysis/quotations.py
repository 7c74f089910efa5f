"""Finding what a text quotes of a program, and whether it quotes it rightly."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

_FENCED = re.compile(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`|“([^”\n]+)”|\"([^\"\n]+)\"")
_SPACE = re.compile(r"\s+")

MIN_LENGTH = 6
"""Characters, without spaces, below which a piece of code is a name or a value, no quotation."""

LEAST_LIKENESS = 0.6
"""Likeness to a line of the program from which a piece that differs is a quotation gone wrong.

It is that of ``difflib``: twice the characters in common over all characters of both.
"""


def is_quoted_rightly(text: str, program: str) -> bool | None:
    """Tell whether all that a text quotes of a program stands there word for word.

    Quotations are lines of fenced code, and pieces in backticks or quotation marks, that stand in
    the program or are like one of its lines. Spaces do not count. Anything else in such marks, an
    example of an input for instance, is no quotation.

    Parameters
    ----------
    text : str
        What was said.
    program : str
        The program that it is about.

    Returns
    -------
    is_right : bool | None
        None if nothing is quoted.
    """
    whole = _without_spaces(program)
    lines = [line for each in program.splitlines() if (line := _without_spaces(each))]
    found = False
    for piece in map(_without_spaces, _marked_pieces(text)):
        if len(piece) < MIN_LENGTH:
            continue
        if piece in whole:
            found = True
        elif any(_is_like(piece, line) for line in lines):
            return False
    return True if found else None


def _marked_pieces(text: str) -> Iterator[str]:
    """Yield what stands in fences, line by line, and what stands in other marks outside them."""
    for block in _FENCED.findall(text):
        yield from block.splitlines()
    for groups in _SPAN.findall(_FENCED.sub("\n", text)):
        yield "".join(groups)


def _without_spaces(text: str) -> str:
    return _SPACE.sub("", text)


def _is_like(piece: str, line: str) -> bool:
    matcher = SequenceMatcher(None, piece, line, autojunk=False)
    # The quick estimates are never too low, and spare most of the comparisons.
    return (
        matcher.real_quick_ratio() >= LEAST_LIKENESS
        and matcher.quick_ratio() >= LEAST_LIKENESS
        and matcher.ratio() >= LEAST_LIKENESS
    )
