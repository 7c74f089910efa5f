"""Lists of parts that are chosen by name, each with options of its own: callbacks, loss terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nip.errors import ParameterError, unknown_name
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import NonNegative
from nip.registry import Registry

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


@dataclass
class NamedComponent(SubParameters):
    """Root of the options of a part that is chosen by its name."""

    name: str
    """What the part is registered as."""

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
        """All fields but the name, by which the part is built."""
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
    """Make the options of each part of a list.

    Parameters
    ----------
    value : Any
        None, a single entry, or a list of them. An entry is a name, a mapping with a name and
        options, or an instance of the options' class.
    path : str
        Dotted name of the list, for messages.
    kind : str
        What the parts are, in the singular.
    known : Registry[Any]
        Facts by name; each says under ``parameters`` which class the options are of.
    ignore_unknown : bool
        Leave out unknown options instead of refusing them.

    Raises
    ------
    ParameterError
        Listing every entry that cannot be used.
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
            f"{entry!r}. Write for example {known.names()[0]}, or {{name: {known.names()[0]}}}."
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
    """A term of the loss with no option but its weight; derived classes have others."""

    weight: NonNegative = 1.0
    """Factor on the term; 0 leaves it out."""


@dataclass(frozen=True)
class LossTermSpec:
    """What the parameters must know of a term of the loss."""

    parameters: type[LossTermParameters] = LossTermParameters
    """Class of its options."""


loss_term_specs: Registry[LossTermSpec] = Registry("loss term")
"""Facts of all terms by name."""

loss_term_specs.register("l2", LossTermSpec())
loss_term_specs.register("proximal", LossTermSpec())
