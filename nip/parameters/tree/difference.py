"""Find the parameters in which two trees differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nip.parameters.agents import DEFAULT_AGENT, NO_AGENTS
from nip.parameters.fields.dotted_names import join
from nip.parameters.parameters_base import to_plain
from nip.parameters.tree.migrations import PACKAGE_KEYS
from nip.parameters.tree.plugin_names import PLUGINS_KEY

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


class Absent:
    """Type of the value of a parameter that a tree does not have."""

    def __repr__(self) -> str:
        return "<absent>"


ABSENT = Absent()
"""Value of a parameter that a tree does not have."""


class Difference(NamedTuple):
    """One parameter in which two trees differ."""

    name: str
    """Dotted name of the parameter."""

    old: Any
    """Its value in the first tree; ``ABSENT`` if it has none."""

    new: Any
    """Its value in the second tree; ``ABSENT`` if it has none."""

    def __str__(self) -> str:
        return f"{self.name}: {self.old!r} → {self.new!r}"


def difference(
    old: HyperParameters | Mapping[str, Any], new: HyperParameters | Mapping[str, Any]
) -> list[Difference]:
    """List the parameters in which two trees differ, in the order of the first.

    An agent that only one of them lists is compared with the entry ``_default`` of the other. The
    version that wrote the trees, and entries derived from other parameters, are ignored.
    """
    first, second = to_plain(old), to_plain(new)
    agents, other_agents = first.get("agents"), second.get("agents")
    if isinstance(agents, Mapping) and isinstance(other_agents, Mapping):
        names = dict.fromkeys([*agents, *other_agents])
        first = {**first, "agents": _with_all_agents(agents, names)}
        second = {**second, "agents": _with_all_agents(other_agents, names)}
    return list(_differences("", first, second))


def _with_all_agents(agents: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """List every name, and leave out derived entries."""
    default = agents.get(DEFAULT_AGENT, {})
    return {name: agents.get(name, default) for name in names if name not in NO_AGENTS}


def _differences(path: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys([*old, *new]):
            if path or name not in (*PACKAGE_KEYS, PLUGINS_KEY):
                below = old.get(name, ABSENT), new.get(name, ABSENT)
                yield from _differences(join(path, str(name)), *below)
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield Difference(path, old, new)
