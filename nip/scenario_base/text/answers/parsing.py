"""Parsing of a model's answer into messages for the channels and a decision."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from nip.protocols.rules import Decision
from nip.scenario_base.text.answers.decision_scales import DecisionScale

_MARKUP = re.compile(r"[*_`~]")
_BEFORE_LINE = " \t#>-"
_FENCE = "```"
_AROUND_VERDICT = " \t.,;!\"'“”‘’"
_DECISION_LINE = re.compile(r"decision\s*[:：]\s*(.*)", re.IGNORECASE)
_HEADER_LINE = re.compile(r"\[([^\[\]]+)\]\s*:?\s*(.*)")


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


def parse_answer(text: str, form: AnswerForm) -> ParsedAnswer:
    """Parse an answer.

    A decision can only be on the last line that is not empty, and only for an agent with a scale.
    Lines that consist of markup, such as the end of a fence or a rule, count as empty. With several
    channels every header is required, unless the answer decides, since the dialogue then ends. Text
    above the first header is dropped.
    """
    if not text.strip():
        return ParsedAnswer(problem="the answer is empty")
    if form.scale is None:
        return _split(text, form)
    body, verdict = split_decision(text)
    if verdict is None:
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
    before, line, behind = _last_line(text)
    found = _DECISION_LINE.fullmatch(_plain(line))
    if found is None:
        return text.strip(), None
    return _without_fence(before.strip(), behind), found[1].strip(_AROUND_VERDICT)


def with_decision(text: str, decision: int, scale: DecisionScale) -> str:
    """Replace the decision of an answer by 0 (reject) or 1 (accept) on a scale, or add it."""
    body, _ = split_decision(text)
    return f"{body}\n\nDecision: {scale.words_for(decision)}".lstrip()


def header_key(header: str) -> str:
    """Normalise a header: without markup, in lower case, with single spaces."""
    return " ".join(_plain(header).lower().split())


def _plain(line: str) -> str:
    return _MARKUP.sub("", line).strip(_BEFORE_LINE)


def _last_line(text: str) -> tuple[str, str, str]:
    """Find the last line that is more than markup; return the text before, the line, the rest."""
    end = len(text)
    while True:
        before = text[:end].rstrip()
        start = max(before.rfind("\n"), before.rfind("\r")) + 1
        if start == 0 or _plain(before[start:]):
            return before[:start], before[start:], text[len(before) :].strip()
        end = start


def _without_fence(body: str, behind: str) -> str:
    """Remove the code fence around a decision, or close a fence that the body left open."""
    if not behind.startswith(_FENCE):
        return body
    last = body[max(body.rfind("\n"), body.rfind("\r")) + 1 :]
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
    for line in text.splitlines():
        found = _HEADER_LINE.fullmatch(_plain(line))
        channel = channel_of.get(header_key(found[1])) if found else None
        if found is not None and channel is not None:
            current = parts.setdefault(channel, [])
            # The rest of the header's line keeps its markup, which may be code.
            current.append(_behind_header(line) if found[2] else "")
        elif current is not None:
            current.append(line)
    missing = [f"[{form.headers[each]}]" for each in form.channels if each not in parts]
    if missing:
        return ParsedAnswer(problem=f"it lacks the header {' and '.join(missing)}")
    return ParsedAnswer({each: "\n".join(parts[each]).strip() for each in form.channels})


def _behind_header(line: str) -> str:
    return line.partition("]")[2].lstrip("*_`~: \t")
