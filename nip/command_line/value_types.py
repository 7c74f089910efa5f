"""Types of all values that a command line can set, from the annotations of their fields."""

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union

from nip.command_line.config_folders import EXPERIMENT
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, parameter_groups, scenario_specs
from nip.parameters.agents import RandomAgentParameters
from nip.parameters.callbacks import callback_specs
from nip.parameters.named_components import loss_term_specs
from nip.parameters.parameters_base import SubParameters, field_rules
from nip.parameters.update_schedule import UpdateSchedule, schedule_classes
from nip.registry import Registry

_RUN_KEYS: dict[str, Any] = {
    EXPERIMENT: str,
    "run_id": str | None,
    "resume": str,
    "num_parallel_seeds": int,
    "dry_run": bool,
    "plugins": tuple[str, ...],
    "settings": ExperimentSettings,
}

_COMPONENTS: dict[str, Registry[Any]] = {"callbacks": callback_specs, "loss_terms": loss_term_specs}


class ValueType:
    """Type of a parameter, or of a group, list or mapping of parameters.

    Parameters
    ----------
    *annotations : Any
        Alternatives. Beside annotations of fields these are groups, mappings from names to
        annotations, and the registries of named components.
    """

    def __init__(self, *annotations: Any) -> None:
        self._alternatives = [each for given in annotations for each in _alternatives(given)]

    @property
    def is_text(self) -> bool:
        """Whether a single value is text, and neither a number nor a truth value."""
        kinds = self._alternatives
        if any(isinstance(kind, Registry) for kind in kinds):
            return True  # The name of a component.
        return str in kinds and not {int, float, bool, Any} & {*filter(_is_hashable, kinds)}

    @property
    def is_mapping(self) -> bool:
        """Whether it is a single parameter whose value is a mapping, with keys of its own."""
        kinds = self._alternatives
        return any(map(_is_mapping, kinds)) and not any(map(_is_group, kinds))

    def below(self, name: str) -> "ValueType":
        """Return the type of an entry of a group or mapping; one without alternatives if none."""
        return ValueType(*(found for kind in self._alternatives for found in _below(kind, name)))

    def item(self, component: str | None = None) -> "ValueType":
        """Return the type of the items of a list; ``component`` is the name in a mapping there."""
        found: list[Any] = []
        for kind in self._alternatives:
            if isinstance(kind, Registry):
                spec = kind[component] if component is not None and component in kind else None
                found.append(kind if spec is None else spec.parameters)
            elif typing.get_origin(kind) in (tuple, list):
                found.extend(each for each in typing.get_args(kind) if each is not ...)
        return ValueType(*found)


def type_of(parts: Sequence[str]) -> ValueType:
    """Return the type of the parameter or group with a dotted name, given in parts."""
    kind = root_type()
    for part in parts:
        kind = kind.below(part)
    return kind


def mapping_parameter(parts: Sequence[str]) -> Sequence[str] | None:
    """Return the name of the mapping that a dotted name is an entry of; None if it is of none."""
    kind = root_type()
    for depth, part in enumerate(parts):
        if kind.is_mapping:
            return parts[:depth]
        kind = kind.below(part)
    return None


def root_type() -> ValueType:
    """Return the type of the whole tree that a command line composes.

    The fields of an agent are those of the agents of all scenarios.
    """
    return ValueType(
        {
            **{name: rule.annotation for name, rule in field_rules(HyperParameters).items()},
            **dict(parameter_groups.items()),
            **_COMPONENTS,
            **_RUN_KEYS,
            "agents": _Agents(),
        }
    )


class _Agents(dict[str, Any]):
    """Mapping from the names of agents, whatever they are, to their types."""

    def __missing__(self, name: str) -> Any:
        classes = {spec.agent_parameters for _, spec in scenario_specs.items()}
        return Union[RandomAgentParameters, *classes]


_MAPPINGS = (dict, Mapping)


def _alternatives(annotation: Any) -> list[Any]:
    """Return the members of a union, of literals and of annotated types."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _alternatives(arguments[0])
    if origin in (Union, types.UnionType):
        return [each for argument in arguments for each in _alternatives(argument)]
    if origin is Literal:
        return []
    return [annotation]


def _below(kind: Any, name: str) -> list[Any]:
    if isinstance(kind, _Agents):
        return [kind[name]]
    if isinstance(kind, dict):
        return [kind[name]] if name in kind else []
    if kind is UpdateSchedule:
        return [schedules[name]] if name in (schedules := schedule_classes()) else []
    if _is_group(kind):
        rule = field_rules(kind).get(name)
        return [] if rule is None else [rule.annotation]
    if _is_mapping(kind):
        return [*typing.get_args(kind)[1:]] or [Any]
    return []


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, SubParameters)


def _is_mapping(kind: Any) -> bool:
    return not isinstance(kind, dict) and (typing.get_origin(kind) or kind) in _MAPPINGS


def _is_hashable(kind: Any) -> bool:
    return not isinstance(kind, dict)
