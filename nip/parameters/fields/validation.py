"""Validation of a value against the annotation of its field."""

import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict, TypeAdapter, ValidationError

from nip.errors import did_you_mean, shown
from nip.parameters.fields.value_limits import (
    LARGEST_INTEGER,
    LARGEST_SEED,
    PathMarker,
    SeedMarker,
    is_marked,
    problem_with_path,
    problem_with_value,
)

_BOUNDS: dict[type, tuple[str, str]] = {
    Ge: ("ge", "at least"),
    Gt: ("gt", "above"),
    Le: ("le", "at most"),
    Lt: ("lt", "below"),
}
_SIMPLE_TYPES: dict[Any, str] = {
    int: "an integer",
    float: "a finite number",
    bool: "True or False",
    str: "a string",
    type(None): "None",
    Any: "anything",
}


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    """Compile an annotation; the result is cached."""
    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


def check_value(annotation: Any, value: Any, name: str, default: Any = ...) -> Any:
    """Check a value against an annotation such as ``Annotated[int, Ge(1)]``, and convert it.

    Types are strict, except that an integer is accepted as a float, a list as a tuple, and a NumPy
    scalar as a Python number. Every value keeps the limits of ``value_limits``. The message of the
    ``ValueError`` states the dotted name, the rule, the value and a way out, such as the default
    (``...``: none).
    """
    largest = LARGEST_SEED if is_marked(annotation, SeedMarker) else LARGEST_INTEGER
    if problem := problem_with_value(value, largest):
        raise ValueError(_complaint(annotation, value, name, default, problem))
    try:
        taken = _adapter(annotation).validate_python(_plain(annotation, value))
    except ValidationError:
        raise ValueError(_complaint(annotation, value, name, default)) from None
    if (
        isinstance(taken, str)
        and is_marked(annotation, PathMarker)
        and (problem := problem_with_path(taken))
    ):
        raise ValueError(_complaint(annotation, value, name, default, problem))
    return taken


def _plain(annotation: Any, value: Any) -> Any:
    """Replace NumPy scalars by numbers, and lists by tuples where the annotation has a tuple."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    elif isinstance(value, float):
        value = float(value)
    if isinstance(value, list | tuple) and _wants_tuple(annotation):
        return tuple(_plain(annotation, item) for item in value)
    if isinstance(value, Mapping):
        return {key: _plain(annotation, item) for key, item in value.items()}
    return value


def _wants_tuple(annotation: Any) -> bool:
    """Return whether a tuple is among the types of an annotation."""
    if typing.get_origin(annotation) is tuple or annotation is tuple:
        return True
    return any(_wants_tuple(argument) for argument in typing.get_args(annotation))


def _complaint(
    annotation: Any, value: Any, name: str, default: Any, problem: str | None = None
) -> str:
    """Return the message about a value that does not fit, or that breaks a limit."""
    parts = [f"{name} must be {describe(annotation)}, got {shown(value)}."]
    if problem is not None:
        parts.append(f"{problem[0].upper()}{problem[1:]}.")
    elif isinstance(value, str):
        if suggestion := did_you_mean(value, literal_choices(annotation)):
            parts.append(suggestion)
        elif _is_number(value) and not literal_choices(annotation):
            parts.append("Write the number without quotes (plain YAML reads 1e-3 as text: 1.0e-3).")
    elif isinstance(value, int | float) and _accepts_text(annotation):
        parts.append("Put text in quotes: YAML reads 1_0, 007 and 1e5 as numbers.")
    if default is not ...:
        parts.append(f"The default is {default!r}.")
    return " ".join(parts)


def _accepts_text(annotation: Any) -> bool:
    """Return whether text is among the types of an annotation."""
    return annotation is str or any(map(_accepts_text, typing.get_args(annotation)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def describe(annotation: Any) -> str:
    """Describe the values that an annotation allows, for example ``an integer, at least 1``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        bounds = [words for bound in arguments[1:] if (words := _describe_bound(bound))]
        return (
            f"{describe(arguments[0])}, {' and '.join(bounds)}"
            if bounds
            else describe(arguments[0])
        )
    if origin is Literal:
        choices = ", ".join(repr(choice) for choice in arguments)
        return choices if len(arguments) == 1 else f"one of {choices}"
    if origin in (Union, types.UnionType):
        return _describe_union(arguments)
    if origin in (tuple, list):
        items = list(dict.fromkeys(describe(item) for item in arguments if item is not ...))
        return f"a list (each item {' or '.join(items)})"
    if origin in (dict, Mapping):
        if any(typing.get_origin(each) is dict for each in typing.get_args(arguments[1])):
            return "a mapping"
        return f"a mapping (each value {describe(arguments[1])})"
    return _SIMPLE_TYPES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _describe_union(arguments: tuple[Any, ...]) -> str:
    """Describe the values that a union of annotations allows."""
    if str in arguments:
        # Literals beside `str` are examples: other names may be registered.
        examples = [choice for argument in arguments for choice in literal_choices(argument)]
        rest = [argument for argument in arguments if typing.get_origin(argument) is not Literal]
        such_as = f", such as {', '.join(map(repr, examples))}" if examples else ""
        return " or ".join(map(describe, rest)) + such_as
    words = [describe(argument) for argument in arguments]
    return (", or " if any("," in each for each in words) else " or ").join(dict.fromkeys(words))


def _describe_bound(bound: Any) -> str:
    """Describe a bound; empty for metadata that is not a bound."""
    for kind, (attribute, words) in _BOUNDS.items():
        if isinstance(bound, kind):
            return f"{words} {getattr(bound, attribute)}"
    return ""


def literal_choices(annotation: Any) -> list[str]:
    """Return all strings among the literals of an annotation."""
    if typing.get_origin(annotation) is Literal:
        return [choice for choice in typing.get_args(annotation) if isinstance(choice, str)]
    return [
        choice for argument in typing.get_args(annotation) for choice in literal_choices(argument)
    ]
