"""Registry of analysers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from nip.registry import Registry, require_derived, require_name

if TYPE_CHECKING:
    from nip.rollout_analysis.analyser import Analyser

analyser_registry: Registry[type[Analyser]] = Registry(
    "analyser", package="nip.rollout_analysis.analysers"
)

A = TypeVar("A", bound="type[Analyser]")


def register_analyser(name: str) -> Callable[[A], A]:
    """Register an analyser under a name.

    Parameters
    ----------
    name : str
        Name for ``--analysers``, under which results are stored.
    """
    require_name("register_analyser", name)

    def decorate(analyser: A) -> A:
        from nip.rollout_analysis.analyser import Analyser

        require_derived(f"analyser {name!r}", analyser, Analyser)
        analyser.name = name
        analyser_registry.register(name, analyser)
        return analyser

    return decorate
