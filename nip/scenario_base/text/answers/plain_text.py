"""Reading of lines as people see them: without markup, invisible characters and stop tokens."""

import re
import unicodedata

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Characters without a glyph: zero-width ones, marks of direction, variation selectors, tags."""

STOP_TOKEN = re.compile(
    r"<[|｜][^<>|｜\n]{1,64}[|｜]>|</s>|<eos>|<end_of_turn>|<end_of_utterance>|\[/?INST\]"
)
"""Tokens that end a message in the chat formats of common models."""

# Struck out text is not markup: `~~accept~~` is a decision that was taken back.
_MARKUP = re.compile(r"[*_`]|~{3,}|(?<!~)~(?!~)")
_MARKS = "*_`~"
_AROUND_LINE = " \t\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029#>-"


def plain(line: str) -> str:
    """Return a line without markup, invisible characters and stop tokens, in common characters.

    Fullwidth and other compatibility characters become those that they stand for.
    """
    # A line is often a whole paragraph, in which looking for a character takes far less time than
    # matching an expression.
    if not line.isascii():
        line = INVISIBLE.sub("", line)
    if "<" in line or "[" in line:
        line = STOP_TOKEN.sub("", line)
    if any(mark in line for mark in _MARKS):
        line = _MARKUP.sub("", line)
    if not line.isascii():
        line = unicodedata.normalize("NFKC", line)
    return line.strip(_AROUND_LINE)
