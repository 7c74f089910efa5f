"""Limits that every value keeps, whatever its type: of numbers, of text, of paths and of depth."""

import os
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

LARGEST_INTEGER = 2**63 - 1
"""Largest integer that tensors and databases can hold."""

LARGEST_FLOAT = 3.4028234663852886e38
"""Largest number in single precision, in which networks compute."""

SMALLEST_FLOAT = 1.1754943508222875e-38
"""Smallest number above 0 with full accuracy in single precision."""

MAX_DEPTH = 50
"""Depth to which lists and mappings may be nested."""

MAX_BYTES_OF_NAME = 255
MAX_BYTES_OF_PATH = 4095
"""Longest name and path on the common file systems."""


LARGEST_SEED = 10**100
"""Largest integer of a field that is only hashed, such as a seed of 128 bits."""


class SeedMarker:
    """Marks an integer that is only hashed, in the annotation of a field."""


class PeriodMarker:
    """Marks a number of iterations after which something happens, again and again."""


class PathMarker:
    """Marks text that is a path, or a name that may be a path, in the annotation of a field."""


@cache
def is_marked(annotation: Any, marker: type) -> bool:
    """Return whether an annotation, or a member of a union, has a marker of a class."""
    arguments = typing.get_args(annotation)
    if any(isinstance(each, marker) for each in arguments):
        return True
    return any(is_marked(each, marker) for each in arguments)


def problem_with_value(value: Any, largest: int = LARGEST_INTEGER) -> str | None:
    """Return which limit a value, or one in a list or mapping, breaks; None if it breaks none.

    ``largest`` is the limit of the size of an integer.
    """
    problems = (_problem_with_single(each, largest) for each in _single_values(value))
    return next(filter(None, problems), None)


def _single_values(value: Any) -> Iterator[Any]:
    """Yield the values in nested lists and mappings, and a list where they are too deep."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        below: list[Any] = []
        for each in level:
            if isinstance(each, Mapping):
                below += [*each.keys(), *each.values()]
            elif isinstance(each, list | tuple):
                below += each
            else:
                yield each
        level = below
    yield level


def _problem_with_single(value: Any, largest: int) -> str | None:
    if isinstance(value, list):
        return f"lists and mappings can be nested {MAX_DEPTH} levels deep" if value else None
    if isinstance(value, str):
        return problem_with_text(value)
    if isinstance(value, int) and not -largest <= value <= largest:
        return f"an integer can be at most {largest:.4g} in size"
    if isinstance(value, float) and LARGEST_FLOAT < abs(value) < float("inf"):
        return f"a number can be at most {LARGEST_FLOAT:.1e} in size, in single precision"
    if isinstance(value, float) and 0 < abs(value) < SMALLEST_FLOAT:
        return f"a number smaller than {SMALLEST_FLOAT:.1e} would be 0 in single precision"
    return None


def problem_with_text(text: str) -> str | None:
    """Return why text could not be stored or passed on; None if it can."""
    if "\0" in text:
        return "text cannot contain the character NUL"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "text must be valid Unicode, and paths must be named in UTF-8"
    return None


def problem_with_path(path: str) -> str | None:
    """Return why text cannot be the path of a file or folder; None if it can."""
    if problem := problem_with_text(path):
        return problem
    if any(len(os.fsencode(name)) > MAX_BYTES_OF_NAME for name in Path(path).parts):
        return f"the name of a file or folder can have at most {MAX_BYTES_OF_NAME} bytes"
    if len(os.fsencode(path)) > MAX_BYTES_OF_PATH:
        return f"a path can have at most {MAX_BYTES_OF_PATH} bytes"
    return None
