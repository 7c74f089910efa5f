"""Names of entries, and paths of names to entries of entries."""

from typing import TypeAlias, TypeGuard

Key: TypeAlias = str | tuple[str, ...]
"""A name, or the names on the way to an entry of an entry: ``("agents", "reward")``."""


def is_path(key: object) -> TypeGuard[tuple[str, ...]]:
    """Tell a path from an index, which is a tuple as well."""
    return isinstance(key, tuple) and key != () and all(isinstance(name, str) for name in key)


def as_path(key: Key) -> tuple[str, ...]:
    """Return a key as a path."""
    return (key,) if isinstance(key, str) else key


def shown_path(path: tuple[str, ...]) -> str:
    """Write a path as one would look it up."""
    return repr(path[0] if len(path) == 1 else path)
