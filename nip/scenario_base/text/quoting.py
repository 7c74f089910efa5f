"""Quoting of texts, so that nothing in them can look like something around them."""

import re
from collections.abc import Iterable
from functools import lru_cache

from nip.scenario_base.text.answers.plain_text import INVISIBLE

PREFIX = "> "
"""Put in front of every line of a quoted message."""

_CONTROL_TOKEN = re.compile(
    r"<(?=[|｜][^<>|｜\n]{1,64}[|｜]>|/?s>|(?:bos|eos|pad|unk|sop|eop)>|(?:start|end)_of_\w{1,16}>"
    r"|\|\w{1,16}>|\w{1,16}\|>|/?(?:think|tool_call|tool_response)>|</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|THINK"
    r"|gMASK)\])"
)
"""First character of a token that delimits messages in the chat formats of common models."""

_TAG = re.compile(r"</\s*([A-Za-z][\w-]*)\s*>")
_FENCE = re.compile(
    r"(?<![^\n\r\v\f\x1c-\x1e\x85\u2028\u2029])((?:[ \t>]|[-*+][ \t])*+)(`{3,}|~{3,})"
)
"""A code fence at the start of a line, in a quotation or list as well."""

_UNSEEN = rf"{INVISIBLE.pattern}*+"
"""What may be between the letters of a tag, so that it still looks like one."""

_GAP = rf"(?:\s|{INVISIBLE.pattern})*+"


def quote(text: str) -> str:
    """Return a text with ``> `` in front of every line.

    A line begins behind everything that ``str.splitlines`` takes for a line break, because a reader
    may do so as well; messages are split at line feeds only.

    A backslash is put into tokens that delimit messages in chat formats, such as ``<|im_end|>``,
    because services may read them as such wherever they occur.
    """
    # Messages are quoted in every turn, and most of them contain no such token.
    if "<" in text or "[" in text:
        text = _CONTROL_TOKEN.sub(r"\g<0>\\", text)
    # With a further character, because a text that ends with a line break has an empty last line.
    lines = f"{text}.".splitlines(keepends=True)
    return (PREFIX + PREFIX.join(lines))[:-1]


def delimiters_in(template: str) -> tuple[str, ...]:
    """Return the names of the tags that a template closes, and the fence of code if it has one."""
    tags = dict.fromkeys(name.lower() for name in _TAG.findall(template))
    return (*tags, *(["```"] if _FENCE.search(template) else []))


def without_delimiters(text: str, delimiters: Iterable[str]) -> str:
    r"""Put a backslash into the delimiters of a template that occur in a text: ``<\/solution>``."""
    tags = tuple(each for each in delimiters if each != "```")
    # Most texts have no tag or fence at all.
    if tags and ("<" in text or "＜" in text):
        text = _tag_of(tags).sub(r"\g<0>\\", text)
    has_fence = "```" in delimiters and ("```" in text or "~~~" in text)
    return _FENCE.sub(r"\1\\\2", text) if has_fence else text


@lru_cache(maxsize=64)
def _tag_of(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern of the first character of tags with any of some names."""
    name = "|".join(_UNSEEN.join(map(re.escape, each)) for each in names)
    # An opening tag ends with >, because a program may contain `x < solution`.
    tag = rf"[<＜](?={_GAP}(?:[/／]{_GAP}(?:{name})\b|(?:{name}){_GAP}[>＞]))"
    return re.compile(tag, re.IGNORECASE)
