"""Components that are listed by name, each with options of its own: callbacks and loss terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nip.errors import ParameterError, shown, unknown_name
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import NonNegative
from nip.registry import Registry

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


@dataclass
class NamedComponent(SubParameters):
    """Base class of the options of a component that is chosen by name."""

    name: str
    """Name under which the component is registered."""

    def problems_in(self, hyper_params: HyperParameters, path: str) -> Iterator[str]:
        """Yield a message for each combination with other parameters that cannot work.

        Parameters
        ----------
        hyper_params : HyperParameters
            The whole tree.
        path : str
            Dotted name of this entry, for the messages.
        """
        yield from ()

    @property
    def options(self) -> dict[str, Any]:
        """All fields except the name, as arguments of the component."""
        fields = {name: getattr(self, name) for name in self.child_names()}
        del fields["name"]
        return fields


def build_named_components(
    value: Any,
    path: str,
    kind: str,
    known: Registry[Any],
    ignore_unknown: bool = False,
) -> tuple[Any, ...]:
    """Build the options of each component in a list; a ``ParameterError`` lists invalid entries.

    Parameters
    ----------
    value : Any
        None, a single entry, or a list of them. An entry is a name, a mapping with a name and
        options, or an instance of the options' class.
    path, kind : str
        Dotted name of the list, and what a component is, in the singular, for messages.
    known : Registry[Any]
        Specs by name; the attribute ``parameters`` of a spec is the class of the options.
    """
    entries = value if isinstance(value, list | tuple) else [] if value is None else [value]
    problems: list[str] = []
    parts: list[NamedComponent] = []
    for index, entry in enumerate(entries):
        place = f"{path}[{index}]"
        try:
            parts.append(_build(entry, place, kind, known, ignore_unknown))
        except ParameterError as error:
            problems.extend(error.problems)
    if problems:
        raise ParameterError(*problems)
    return tuple(parts)


def _build(
    entry: Any, place: str, kind: str, known: Registry[Any], ignore_unknown: bool
) -> NamedComponent:
    if isinstance(entry, NamedComponent):
        entry = entry.to_dict()
    if isinstance(entry, str):
        entry = {"name": entry}
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ParameterError(
            f"{place} must be the name of a {kind}, or a mapping with a name and options, got "
            f"{shown(entry)}. Write for example {known.names()[0]}, or "
            f"{{name: {known.names()[0]}}}."
        )
    name = entry["name"]
    if name not in known:
        raise ParameterError(f"{place}: {unknown_name(kind, name, known)}")
    options = {key: given for key, given in entry.items() if key != "_type"}
    part: NamedComponent = known[name].parameters.build(options, place, ignore_unknown)
    return part


@register_parameter_class
@dataclass
class LossTermParameters(NamedComponent):
    """Base class of the parameters of loss terms; its only option is the weight."""

    weight: NonNegative = 1.0
    """Factor on the term; 0 disables it."""


@dataclass(frozen=True)
class LossTermSpec:
    """What the checks need to know of a loss term."""

    parameters: type[LossTermParameters] = LossTermParameters
    """Class of its options."""


loss_term_specs: Registry[LossTermSpec] = Registry("loss term")
"""Specs of all loss terms by name."""

loss_term_specs.register("l2", LossTermSpec())
loss_term_specs.register("proximal", LossTermSpec())
