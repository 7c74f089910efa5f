"""Change a stored tree by dotted names."""

import copy
from collections.abc import Mapping
from typing import Any

from nip.parameters.agents import DEFAULT_AGENT
from nip.parameters.parameters_base import to_plain


def apply_changes(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a tree (as ``HyperParameters.to_dict`` returns it) with new values.

    An agent that is not listed starts from the entry ``_default``. Nothing is checked here.
    """
    changed = copy.deepcopy(dict(tree))
    for dotted, value in changes.items():
        *path, last = dotted.split(".")
        if path[:1] == ["agents"] and len(path) > 1:
            agents = changed["agents"]
            agents.setdefault(path[1], copy.deepcopy(agents[DEFAULT_AGENT]))
        node = changed
        for part in path:
            node = _step(node, part)
        if last == "is_random":
            # The class is derived from it.
            node.pop("_type", None)
        node[last] = to_plain(value)
    return changed


def _step(node: dict[str, Any], part: str) -> dict[str, Any]:
    """Return the node one level below; an update schedule has its fields below its class name."""
    child = node.get(part)
    if not isinstance(child, dict):
        child = node[part] = {}
    fields = child.get(child.get("_type"))
    return fields if isinstance(fields, dict) else child
