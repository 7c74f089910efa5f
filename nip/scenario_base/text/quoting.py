"""Quoting of texts, so that nothing in them can look like something around them."""

import re
from collections.abc import Iterable

from nip.scenario_base.text.answers.plain_text import INVISIBLE

PREFIX = "> "
"""Put in front of every line of a quoted message."""

_LINE_BREAK = re.compile("\n|\r(?!\n)|[\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
"""Everything that can begin a new line for a reader; messages are split at line feeds only."""

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

    A backslash is put into tokens that delimit messages in chat formats, such as ``<|im_end|>``,
    because services may read them as such wherever they occur.
    """
    harmless = _CONTROL_TOKEN.sub(r"\g<0>\\", text)
    return PREFIX + _LINE_BREAK.sub(r"\g<0>" + PREFIX, harmless)


def delimiters_in(template: str) -> tuple[str, ...]:
    """Return the names of the tags that a template closes, and the fence of code if it has one."""
    tags = dict.fromkeys(name.lower() for name in _TAG.findall(template))
    return (*tags, *(["```"] if _FENCE.search(template) else []))


def without_delimiters(text: str, delimiters: Iterable[str]) -> str:
    r"""Put a backslash into the delimiters of a template that occur in a text: ``<\/solution>``."""
    names = "|".join(_UNSEEN.join(map(re.escape, each)) for each in delimiters if each != "```")
    if names:
        # An opening tag ends with >, because a program may contain `x < solution`.
        tag = rf"[<＜](?={_GAP}(?:[/／]{_GAP}(?:{names})\b|(?:{names}){_GAP}[>＞]))"
        text = re.sub(tag, r"\g<0>\\", text, flags=re.IGNORECASE)
    return _FENCE.sub(r"\1\\\2", text) if "```" in delimiters else text
