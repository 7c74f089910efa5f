"""Separate the reasoning of a model from its answer."""

import re

# Delimiters that models write into their answers: DeepSeek, Qwen and many others; Seed-OSS; Kimi;
# Magistral. The last is in capitals, because a heading may be `[Think]`.
_TAG = re.compile(
    r"[<◁]\s*(?P<end>/?)\s*(?:seed:)?(?:think|thinking|thought|reasoning)\s*[>▷]"
    r"|\[(?P<end_of_magistral>/?)(?-i:THINK)\]",
    re.IGNORECASE,
)
_FIRST_CHARACTERS = "<◁["
"""One of them is in every text with a delimiter; looking for it takes far less time."""

# The format "harmony" of gpt-oss, if the server does not parse it.
_CHANNEL = re.compile(
    r"(?:<\|start\|>assistant)?<\|channel\|>(\w+)(?:[^<]*)<\|message\|>|<\|(?:end|return)\|>"
)


def split_reasoning(text: str) -> tuple[str, str]:
    """Split a generated text into the answer and the reasoning, in time linear in its length.

    Reasoning stands between ``<think>`` and ``</think>``, or tags of the same meaning. It ends with
    the text if it was cut off. If only its end is marked, because the chat template has begun it,
    it starts with the text. A text without such tags is returned unchanged.
    """
    if not any(mark in text for mark in _FIRST_CHARACTERS):
        return text, ""
    if "<|channel|>" in text:
        return _split_channels(text)
    answer: list[str] = []
    reasoning: list[str] = []
    is_inside, start, is_marked = False, 0, False
    for tag in _TAG.finditer(text):
        is_marked = True
        piece, closes = text[start : tag.start()], bool(tag["end"] or tag["end_of_magistral"])
        if is_inside and not closes:
            # The reasoning mentions the tag.
            continue
        if is_inside:
            reasoning.append(piece)
        elif closes:
            reasoning = [*reasoning, *answer, piece]
            answer = []
        else:
            answer.append(piece)
        is_inside, start = not closes, tag.end()
    (reasoning if is_inside else answer).append(text[start:])
    if not is_marked:
        return text, ""
    return "".join(answer).strip(), "\n".join(filter(None, map(str.strip, reasoning)))


def _split_channels(text: str) -> tuple[str, str]:
    parts: dict[bool, list[str]] = {True: [], False: []}
    is_final, start = True, 0
    for mark in _CHANNEL.finditer(text):
        parts[is_final].append(text[start : mark.start()])
        is_final, start = mark[1] in (None, "final"), mark.end()
    parts[is_final].append(text[start:])
    answer, reasoning = "".join(parts[True]), "\n".join(parts[False])
    return answer.strip(), reasoning.strip()
