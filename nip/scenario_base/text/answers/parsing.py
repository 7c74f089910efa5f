"""Parsing of a model's answer into messages for the channels and a decision."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from nip.protocols.rules import Decision
from nip.scenario_base.text.answers.decision_scales import DecisionScale
from nip.scenario_base.text.answers.near_misses import seems_to_decide
from nip.scenario_base.text.answers.plain_text import plain

_FENCE = "```"
_BEFORE_DECISION = re.compile(r"\W*(?:\d+[.)]\s*)?\W*")
_DECISION_LINE = re.compile(r"decision\s*:\s*(.*)", re.IGNORECASE)
_BEFORE_VERDICT = " \t\"'“”‘’«»()[]{}|$\\✓✔✅"
_BEHIND_VERDICT = f"{_BEFORE_VERDICT}.,;!#>\r"
_HEADER_LINE = re.compile(r"\[([^\[\]]+)\]\s*:?\s*(.*)")

NOT_IN_FORM = "its last message seems to decide, but has no last line `Decision: ...`"
"""Why a near miss of a decision is invalid."""


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """Content of an answer."""

    channel_texts: dict[str, str] = field(default_factory=dict)
    """Text for each channel on which the agent writes."""

    decision: int = int(Decision.CONTINUE)
    """0 (reject), 1 (accept) or 2 (no decision)."""

    value: float | None = None
    """Position of the decision on its scale, from -1 to 1; None without a decision."""

    decision_text: str = ""
    """The decision as the agent worded it."""

    problem: str | None = None
    """Why the answer is invalid; None for a valid answer."""


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """Required format of an answer."""

    channels: tuple[str, ...]
    """The channels on which the agent writes in this round."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Header of the message for each channel, if there are several."""

    scale: DecisionScale | None = None
    """Scale of decisions; None for an agent that is not a verifier."""

    may_decide: bool = False
    """Whether a decision is allowed in this round."""

    is_last: bool = False
    """Whether this is the agent's last message."""


def parse_answer(text: str, form: AnswerForm) -> ParsedAnswer:
    """Parse an answer.

    A decision can only be on the last line that is not empty, and only for an agent with a scale.
    Lines end at line feeds only. Lines that consist of markup, such as the end of a fence or a
    rule, or of stop tokens count as empty. A last message that seems to decide in another form is
    invalid. With several channels every header is required, unless the answer decides, since the
    dialogue then ends. Text above the first header is dropped. The time is linear in the length.
    """
    if not text.strip():
        return ParsedAnswer(problem="the answer is empty")
    if form.scale is None:
        return _split(text, form)
    body, verdict = split_decision(text)
    if verdict is None:
        if form.is_last and form.may_decide and seems_to_decide(text, form.scale):
            return ParsedAnswer(problem=NOT_IN_FORM)
        return _split(text, form)
    if not form.may_decide:
        return ParsedAnswer(problem="it decides in a round in which no decision is possible")
    read = form.scale.read(verdict.lower())
    if read is None:
        return ParsedAnswer(problem=f"{verdict!r} is not one of the possible decisions")
    parts = _split(body, form)
    texts = dict.fromkeys(form.channels, body) if parts.problem else parts.channel_texts
    return ParsedAnswer(texts, read.decision, read.value, verdict)


def split_decision(text: str) -> tuple[str, str | None]:
    """Split an answer into the other lines and the text after "Decision:", or None without one.

    The text of the decision has no markup and no punctuation around it.
    """
    lines = text.split("\n")
    read = ((number, plain(lines[number])) for number in range(len(lines) - 1, -1, -1))
    last, line = next(((number, line) for number, line in read if line), (0, ""))
    found = _DECISION_LINE.fullmatch(_BEFORE_DECISION.sub("", line, count=1))
    if found is None:
        return text.strip(), None
    body = "\n".join(lines[:last]).strip()
    behind = "\n".join(lines[last + 1 :]).strip()
    verdict = found[1].lstrip(_BEFORE_VERDICT).rstrip(_BEHIND_VERDICT)
    return _without_fence(body, behind), verdict


def with_decision(text: str, decision: int, scale: DecisionScale) -> str:
    """Replace the decision of an answer by 0 (reject) or 1 (accept) on a scale, or add it."""
    body, _ = split_decision(text)
    return f"{body}\n\nDecision: {scale.words_for(decision)}".lstrip()


def header_key(header: str) -> str:
    """Normalise a header: without markup, in lower case, with single spaces."""
    return " ".join(plain(header).lower().split())


def _without_fence(body: str, behind: str) -> str:
    """Remove the code fence around a decision, or close a fence that the body left open."""
    if not behind.startswith(_FENCE):
        return body
    last = body[body.rfind("\n") + 1 :]
    if last.lstrip().startswith(_FENCE):
        return body.removesuffix(last).strip()
    return f"{body}\n{_FENCE}"


def _split(text: str, form: AnswerForm) -> ParsedAnswer:
    """Split an answer into the messages for the channels."""
    if len(form.channels) == 1:
        return ParsedAnswer({form.channels[0]: text.strip()})
    channel_of = {header_key(form.headers[channel]): channel for channel in form.channels}
    parts: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.split("\n"):
        found = _HEADER_LINE.fullmatch(plain(line))
        channel = channel_of.get(header_key(found[1])) if found else None
        if found is not None and channel is not None:
            current = parts.setdefault(channel, [])
            # The rest of the header's line keeps its markup, which may be code.
            current.append((_behind_header(line) or found[2]) if found[2] else "")
        elif current is not None:
            current.append(line)
    missing = [f"[{form.headers[each]}]" for each in form.channels if each not in parts]
    if missing:
        return ParsedAnswer(problem=f"it lacks the header {' and '.join(missing)}")
    return ParsedAnswer({each: "\n".join(parts[each]).strip() for each in form.channels})


def _behind_header(line: str) -> str:
    return line.partition("]")[2].lstrip("*_`~: \t")
