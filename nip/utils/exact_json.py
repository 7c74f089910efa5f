"""JSON for states that must come back as they went."""

import json
from collections.abc import Mapping
from typing import Any

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dump_exactly(value: Any) -> str:
    """Write a tree of plain values as JSON, refusing what would come back changed.

    Floats come back bit for bit, NaN and the infinities included (as Python writes and reads them);
    tuples come back as lists.

    Raises
    ------
    TypeError
        For a key that is no string (JSON would turn it into one) or a value that JSON lacks; the
        message names the place.
    """
    _check(value, "state")
    return json.dumps(value, ensure_ascii=False)


def dump_compactly(value: Any) -> str:
    """Write plain values as one line of JSON that any database takes, in microseconds.

    Unlike ``dump_exactly`` this does not look for keys that are no strings.

    Raises
    ------
    TypeError
        For a value that JSON has no word for.
    """
    text = _COMPACT.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which a language model may well write: UTF-8 has no place for
        # it, JSON has an escape.
        return json.dumps(value)
    return text


def _check(value: Any, place: str) -> None:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if not isinstance(key, str):
                raise TypeError(
                    f"{place} has the key {key!r} of type {type(key).__name__}; JSON knows only "
                    "strings as keys. Store it as a list of pairs, or with str() around the key."
                )
            _check(entry, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            _check(entry, f"{place}[{index}]")
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise TypeError(
            f"{place} is of type {type(value).__module__}.{type(value).__name__}; only None, "
            "booleans, numbers, strings, lists and dictionaries of these can be stored. Tensors "
            "belong in the tensors of the checkpoint."
        )
