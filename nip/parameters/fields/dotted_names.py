"""Dotted names of parameters, and messages about unknown ones."""

from collections.abc import Iterable

from nip.errors import closest


def join(path: str, name: str) -> str:
    """Append a name to a dotted path."""
    return f"{path}.{name}" if path else name


def unknown_parameter(name: str, path: str, known: Iterable[str]) -> str:
    """Return the message about a parameter, as the user wrote it, that the group ``path`` lacks."""
    names = [each for each in known if not each.startswith("_")]
    message = f"There is no parameter {join(path, name)!r}."
    if found := closest(name, names):
        return f"{message} Did you mean {join(path, found)!r}?"
    return f"{message} Known here: {', '.join(names)}." if names else message
