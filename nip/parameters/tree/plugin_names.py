"""Names of the plugins of this process, which are stored with the parameters of a run."""

from collections.abc import Mapping
from typing import Any

PLUGINS_KEY = "_plugins"
"""Key of a stored tree that lists the plugins with which it was written."""

_loaded: dict[str, None] = {}


def note_plugin(name: str) -> None:
    """Note that a plugin was loaded."""
    _loaded[name] = None


def plugin_stamp() -> dict[str, list[str]]:
    """Return the loaded plugins as they are stored with a tree; nothing if there are none."""
    return {PLUGINS_KEY: list(_loaded)} if _loaded else {}


def how_to_load_plugins(stored: Mapping[str, Any]) -> str | None:
    """Return how to load the plugins of a stored tree that are not loaded; None if all are."""
    listed = stored.get(PLUGINS_KEY)
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    if set(names) <= set(_loaded):
        return None
    return (
        f"These parameters were stored with the plugins {', '.join(names)}. Load them first: with "
        f"plugins=[{','.join(names)}] on the command line, with --plugins {' '.join(names)} in a "
        f"script, or with nip.plugins.load_plugins({names!r}) in Python."
    )
