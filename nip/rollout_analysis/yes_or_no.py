"""Reading yes or no out of what a model wrote."""

import re

_MARKUP = re.compile(r"[*_`~#>]")
_ANSWER_LINE = re.compile(r"(?:final\s+)?answer\s*[:：]\s*(yes|no)\b", re.IGNORECASE)
_BARE_LINE = re.compile(r"(yes|no)\b\W*", re.IGNORECASE)
_WORD = re.compile(r"\b(yes|no)\b", re.IGNORECASE)


def read_yes_or_no(answer: str) -> bool | None:
    """Read an answer.

    A line such as ``Answer: yes`` counts, the last of them if there are several; without one, a
    last or first line that says nothing but yes or no; without these, the only one of both words
    that occurs in the last line. Markup, case and punctuation are tolerated.

    Parameters
    ----------
    answer : str
        What the model wrote.

    Returns
    -------
    is_yes : bool | None
        None if it says neither, or both.
    """
    lines = [line for each in answer.splitlines() if (line := _MARKUP.sub("", each).strip())]
    if not lines:
        return None
    for line in reversed(lines):
        if found := _ANSWER_LINE.match(line):
            return found[1].lower() == "yes"
    for line in (lines[-1], lines[0]):
        if found := _BARE_LINE.fullmatch(line):
            return found[1].lower() == "yes"
    words = {word.lower() for word in _WORD.findall(lines[-1])}
    return "yes" in words if len(words) == 1 else None
