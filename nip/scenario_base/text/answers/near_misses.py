"""Recognition of last messages that seem to decide, but not in the form of a decision."""

import re

from nip.scenario_base.text.answers.decision_scales import DecisionScale
from nip.scenario_base.text.answers.plain_text import plain

_NOUN = re.compile(
    r"\b(?:decision|decid|verdict|judge?ment|judg|ruling|conclusion|conclud|answer|assessment|"
    r"vote|rating|rate|grade|score|final|therefore|overall)",
    re.IGNORECASE,
)
_WORD = re.compile(
    r"accept|reject|approv|correct|wrong|valid|undecided|\b(?:right|pass|fail|yes|no|true|false)",
    re.IGNORECASE,
)
_VERDICT = re.compile(r"accept|reject|approv|undecided", re.IGNORECASE)
_ONLY_VERDICT = re.compile(
    r"\W*(?:it is |it's |the (?:solution|program|code) is )?"
    r"(?:correct|incorrect|right|wrong|valid|invalid|yes|no|pass|fail|true|false)(?:ed|s)?\W*",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"\d")
_WRAPPER = re.compile(r"\\[A-Za-z]{1,16}\s?(?=\{)|</?[A-Za-z][^<>\n]{0,64}(?:>|$)")
"""Commands of LaTeX and tags of HTML around a verdict, as in ``\\boxed{7}``."""
_AROUND = " \t.,;:!?\"'()[]{}$\\"


def seems_to_decide(text: str, scale: DecisionScale) -> bool:
    """Return whether a text that has no decision seems to be meant as one.

    That is so if a line names a decision with a word for it ("Verdict: correct"), or if the last
    line is a verdict in other words ("I accept the solution.") or alone ("7/10").
    """
    lines = [line for each in text.split("\n") if (line := plain(each))]
    if not lines:
        return False
    last = _WRAPPER.sub("", lines[-1])
    if _VERDICT.search(last) or _ONLY_VERDICT.fullmatch(last):
        return True
    if scale.read(last.lower().strip(_AROUND)) is not None:
        return True
    words = _DIGIT if scale.is_numeric else _WORD
    return any(_NOUN.search(line) and words.search(line) for line in lines)
