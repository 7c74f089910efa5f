"""Strict and compact JSON encoding of plain data, and strict reading of JSON."""

import json
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 100
"""Depth to which lists and objects may be nested, far below what encoding them again can take."""

_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"
_SCALARS = (bool, int, float, str)
_EXACT = json.JSONEncoder(ensure_ascii=False)
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dump_exactly(value: Any) -> str:
    """Encode plain data as JSON, refusing values that would not be restored exactly.

    Floats are restored bit for bit, including NaN and infinities (in Python's JSON dialect); tuples
    become lists. For a key that is not a string (JSON would convert it) or a value of an
    unsupported type, ``TypeError`` is raised; the message names its path.
    """
    check_exact(value)
    return _EXACT.encode(value)


def dump_compactly(value: Any) -> str:
    """Encode plain data as one line of JSON that is valid UTF-8, in microseconds.

    Unlike ``dump_exactly`` this does not check that all keys are strings; it raises ``TypeError``
    for a value of a type that JSON does not support.
    """
    text = _COMPACT.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        # A lone surrogate, which a language model may produce, cannot be encoded as UTF-8; JSON can
        # escape it.
        return json.dumps(value)
    return text


def load_strictly(text: str | bytes) -> Any:
    """Parse JSON; ``ValueError`` if it is invalid, nested too deeply, or gives a name twice."""
    try:
        tree = json.loads(text, object_pairs_hook=_unique_names)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check_depth(tree)
    return tree


def _check_depth(tree: Any) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict | list):
                below += each.values() if isinstance(each, dict) else each
        level = below
    if level:
        raise ValueError(_TOO_DEEP)


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in values if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} is given twice in one object")
    return values


def check_exact(value: Any, *path: str | int) -> None:
    """Raise the ``TypeError`` of ``dump_exactly``, for a value at a path."""
    if value is None or isinstance(value, _SCALARS):
        return
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if not isinstance(key, str):
                raise TypeError(
                    f"{_place(path)} has the key {key!r} of type {type(key).__name__}; JSON keys "
                    "must be strings. Store a list of pairs, or convert the key with str()."
                )
            check_exact(entry, *path, key)
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            check_exact(entry, *path, index)
    else:
        raise TypeError(
            f"{_place(path)} is of type {type(value).__module__}.{type(value).__name__}; only "
            "None, booleans, numbers, strings, lists and dictionaries of these can be stored. "
            "Convert arrays with tolist(). Tensors belong in the tensors of the checkpoint."
        )


def _place(path: tuple[str | int, ...]) -> str:
    steps = (f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return "".join(["state", *steps])
