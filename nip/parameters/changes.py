"""Changing a stored tree by dotted names."""

import copy
from collections.abc import Mapping
from typing import Any

from nip.errors import ParameterError, did_you_mean
from nip.parameters.agents import DEFAULT_AGENT
from nip.parameters.parameters_base import to_plain


def apply_changes(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Put new values into a copy of a tree as `HyperParameters.to_dict` writes it.

    An agent that is not listed in the tree starts from the entry `_default`.

    Raises
    ------
    ParameterError
        If a dotted name leads nowhere.
    """
    changed = copy.deepcopy(dict(tree))
    for dotted, value in changes.items():
        *path, last = dotted.split(".")
        if path and path[0] == "agents" and len(path) > 1:
            agents = changed["agents"]
            agents.setdefault(path[1], copy.deepcopy(agents[DEFAULT_AGENT]))
        node: Any = changed
        for part in path:
            node = _step(node, part, dotted)
        if last not in node and not _takes_new_names(path):
            raise ParameterError(_leads_nowhere(dotted, last, node))
        if last == "is_random":
            # The class follows from it.
            node.pop("_type", None)
        node[last] = to_plain(value)
    return changed


def _takes_new_names(path: list[str]) -> bool:
    return path == ["agents"]


def _step(node: Any, part: str, dotted: str) -> Any:
    """Go down one level; the fields of an update schedule stand below its class name."""
    if isinstance(node, dict):
        if isinstance(node.get(part), dict):
            child = node[part]
            fields = child.get(child.get("_type"))
            return fields if isinstance(fields, dict) else child
        raise ParameterError(_leads_nowhere(dotted, part, node))
    raise ParameterError(_leads_nowhere(dotted, part, {}))


def _leads_nowhere(dotted: str, part: str, node: Mapping[str, Any]) -> str:
    names = [name for name in node if not name.startswith("_")]
    suggestion = did_you_mean(part, names) or (f"Known there: {', '.join(names)}." if names else "")
    return f"There is no parameter {dotted!r}. {suggestion}".strip()
