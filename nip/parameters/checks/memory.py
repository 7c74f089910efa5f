"""Least memory that an experiment needs, from its parameters alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from nip.parameters.checks.unused_options import groups_in
from nip.parameters.fields.dotted_names import join
from nip.parameters.protocols import agents_in
from nip.utils.memory_limit import MemoryNeed

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


def memory_needs(hyper_params: HyperParameters) -> Iterator[MemoryNeed]:
    """Yield what all groups of a tree state about their sizes, of the agents that there are."""
    for path, group in groups_in("", hyper_params):
        if not path.startswith("agents."):
            yield from group.memory_needs(partial(join, path.rstrip(".")), hyper_params)
    agents = hyper_params.agents
    stated = agents_in(hyper_params)
    for name in agents.listed_names if stated is None else stated:
        yield from agents[name].memory_needs(partial(join, f"agents.{name}"), hyper_params)
