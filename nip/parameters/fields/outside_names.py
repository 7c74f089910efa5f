"""Marks of fields whose text names something outside of the parameters.

A stored run may come from somebody else. What it names outside of itself (code, services,
addresses, keys, files) is used only if the user names it too; see ``nip.parameters.tree.unnamed``.
Each field that holds text is marked beside its declaration, in its annotation:

.. code-block:: python

    from typing import Annotated

    prompt_folder: Annotated[str | None, NamesOutside("files that are read")] = None
    monitor: Annotated[str, PLAIN_TEXT] = "test_mean_accuracy"

A field that holds text and has no mark, as in a group of a plugin, counts as naming something
outside, because nothing is known about it.
"""

import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union


@dataclass(frozen=True)
class NamesOutside:
    """Mark of a field whose value names something outside of the parameters."""

    what: str
    """What a value names, in the plural: ``files that are read``."""

    when: Callable[[Any], bool] = lambda _: True
    """Whether a value names something in a group, which is the argument."""

    even_by_default: bool = False
    """Whether this holds for the default as well, in a component that is listed by name."""


@dataclass(frozen=True)
class PlainText:
    """Mark of a field whose text names nothing outside of the parameters and of the registries."""


PLAIN_TEXT = PlainText()
"""The mark itself."""

UNMARKED = NamesOutside("something that its plugin knows")
"""Mark of a field that holds text and was not marked."""

_HARMLESS = (int, float, bool, types.NoneType)


def names_outside(annotation: Any) -> NamesOutside | None:
    """Return the mark of a field with this annotation; None if it names nothing outside."""
    marks = marks_of(annotation)
    if not marks:
        return UNMARKED if holds_text(annotation) else None
    return next((mark for mark in marks if isinstance(mark, NamesOutside)), None)


def marks_of(annotation: Any) -> list[NamesOutside | PlainText]:
    """Return the marks in an annotation."""
    if typing.get_origin(annotation) is not Annotated:
        return []
    return [mark for mark in annotation.__metadata__ if isinstance(mark, NamesOutside | PlainText)]


def holds_text(annotation: Any) -> bool:
    """Return whether a value may be, or contain, anything but numbers, truth values and choices."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return holds_text(arguments[0])
    if origin is Literal or annotation in _HARMLESS:
        return False
    if origin in (Union, types.UnionType, tuple, list):
        return any(holds_text(each) for each in arguments if each is not ...)
    return True
