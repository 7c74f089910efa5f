"""Text that others wrote: repair of invalid strings, and display of control characters."""

import re

_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(f"[{_CONTROLS}]")
# A carriage return before a line feed is the end of a line.
_OBEYED = re.compile(rf"[{_CONTROLS}]|\r(?!\n)")


def valid_unicode(text: str) -> str:
    """Replace surrogates, which JSON allows and UTF-8 cannot encode.

    A pair of surrogates becomes the character it encodes, a lone one U+FFFD.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def visible(text: str) -> str:
    r"""Write control characters as escapes such as ``\x1b``, so that no terminal obeys them.

    These are the C0 and C1 characters except tabs and line ends, and those that change the
    direction of text, which could show a text in another order than it has. Characters without a
    width stay, because emoji and many scripts need them.
    """
    return _OBEYED.sub(_python_escape, text)


def escape_controls(json_text: str) -> str:
    r"""Write control characters in the strings of a JSON document as ``\u001b``.

    ``json.dumps(ensure_ascii=False)`` leaves some of them as they are. The document stays equal.
    """
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def _python_escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
