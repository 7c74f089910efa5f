"""YAML output in which multi-line strings are always block scalars.

PyYAML quotes a multi-line string on one line as soon as one of its lines ends with a space, which
is common in the output of language models, and it is slow. The output is standard YAML.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][\w/-]*( [\w/-]+)*", re.ASCII)
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


def dump_readable(tree: Mapping[str, Any] | Sequence[Any]) -> str:
    """Dump mappings, sequences, strings, numbers, booleans and None; ``TypeError`` for other types.

    ``yaml.safe_load`` restores the same data, with tuples as lists.
    """
    if not isinstance(tree, Mapping | list | tuple):
        raise TypeError(f"The root must be a mapping or a sequence, got {tree!r}.")
    first, *rest = _node(tree, 0)
    return "\n".join([*([first] if first else []), *rest]) + "\n"


def _node(value: Any, column: int) -> Iterator[str]:
    """Yield the text after a key or dash, then the lines of a block, indented by ``column``."""
    if isinstance(value, Mapping) and value:
        yield ""
        for key, entry in value.items():
            yield from _entry(f"{' ' * column}{_string_in_line(_name(key))}:", entry, column)
    elif isinstance(value, list | tuple) and value:
        yield ""
        for entry in value:
            yield from _entry(f"{' ' * column}-", entry, column)
    elif isinstance(value, str) and "\n" in value and not _UNPRINTABLE.search(value):
        yield from _block(value, column)
    else:
        yield _scalar(value)


def _entry(start: str, value: Any, column: int) -> Iterator[str]:
    """Yield the lines of one entry of a block with the given indentation."""
    lines = _node(value, column + 2)
    first = next(lines)
    if not first and start.endswith("-"):
        # The first line of a mapping or sequence follows the dash.
        yield f"{start} {next(lines).lstrip(' ')}"
    else:
        yield f"{start} {first}" if first else start
    yield from lines


def _block(text: str, column: int) -> Iterator[str]:
    body = text.rstrip("\n")
    num_ends = len(text) - len(body)
    chomping = "-" if num_ends == 0 else "" if num_ends == 1 and body else "+"
    lines = text.split("\n")
    if num_ends:
        lines.pop()
    needs_indicator = not lines[0].strip(" ") or lines[0][0] == " "
    yield f"|{2 if needs_indicator else ''}{chomping}"
    for line in lines:
        yield f"{' ' * column}{line}" if line else ""


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, str):
        return _string_in_line(value)
    if isinstance(value, Mapping | list | tuple):
        return "{}" if isinstance(value, Mapping) else "[]"
    raise TypeError(f"Only plain data can be dumped, got {value!r} of type {type(value).__name__}.")


def _number(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    digits, exponent, power = repr(value).partition("e")
    return digits + (".0" if "." not in digits else "") + exponent + power


def _string_in_line(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"The keys of a mapping must be strings, got {key!r}.")
    return key
