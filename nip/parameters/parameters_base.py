"""Base class of all groups of parameters: validation, storage and reading.

A group is a dataclass that derives from ``SubParameters`` and carries
``@register_parameter_class``:

.. code-block:: python

    from dataclasses import dataclass

    @register_parameter_class
    @dataclass
    class MyParameters(SubParameters):
        temperature: float = 1.0
        \"\"\"Softness of the target.\"\"\"
"""

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

from nip.errors import (
    ParameterError,
    PluginError,
    UnknownNameError,
    shown,
    unknown_name,
    warn_user,
)
from nip.parameters.fields.dotted_names import join, unknown_parameter
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.fields.validation import check_value
from nip.registry import Registry, require_derived
from nip.utils.memory_limit import MemoryNeed
from nip.utils.secrets import find_secret

P = TypeVar("P", bound="SubParameters")
C = TypeVar("C", bound="type[SubParameters]")

parameter_classes: Registry[type["SubParameters"]] = Registry("parameter class")
"""All classes of parameters by their own name, which is what ``_type`` holds in a stored tree."""

TRAINER_PACKAGE, PROTOCOL_PACKAGE, SCENARIO_PACKAGE = (
    "nip.trainers.builtin",
    "nip.protocols.builtin",
    "nip.scenarios",
)
"""Packages whose modules register the built-in trainers, protocols and scenarios."""

SPEC_SUFFIX = "spec"
"""Suffix of the modules in these packages that state a spec without importing PyTorch."""

parameter_groups: Registry[type["SubParameters"]] = Registry(
    "parameter group", (TRAINER_PACKAGE, PROTOCOL_PACKAGE, SCENARIO_PACKAGE), light=SPEC_SUFFIX
)
"""Groups that trainers, protocols and plugins add to the root of the tree, by their name there."""


@dataclasses.dataclass(frozen=True)
class FieldRule:
    """Name, annotation, default and group class of a field."""

    name: str
    """Name of the field."""

    annotation: Any
    """Its annotation, evaluated."""

    default: Any
    """Its default; ``...`` if it must be given. For a group: None."""

    group_class: type["SubParameters"] | None
    """Class of the group that the field holds; None for a plain value."""


class SubParameters:
    """Base class of all groups of parameters.

    Values are checked on construction. A group is immutable; make a changed copy with
    ``dataclasses.replace``, or with ``HyperParameters.with_changes`` for a whole tree.
    """

    unused_rules: ClassVar[tuple[UnusedOptionRule, ...]] = ()
    """Rules about fields of the group that have no effect under some condition."""

    derived_keys: ClassVar[tuple[str, ...]] = ()
    """Keys that ``to_dict`` writes for information and that are ignored when a group is read."""

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Yield a message for each impossible combination of fields.

        Parameters
        ----------
        at : Callable[[str], str]
            Gives the full dotted name of a field of this group, for the messages.
        """
        yield from ()

    def find_warnings(self) -> Iterator[str]:
        """Yield a message for each option that has no effect in this combination."""
        yield from ()

    def memory_needs(
        self, at: Callable[[str], str], hyper_params: "SubParameters"
    ) -> Iterator[MemoryNeed]:
        """Yield the least memory of each part whose size follows from fields of this group.

        Parameters
        ----------
        at : Callable[[str], str]
            Gives the full dotted name of a field of this group.
        hyper_params : HyperParameters
            The whole tree.
        """
        yield from ()

    def to_dict(self) -> dict[str, Any]:
        """Convert the group to plain data, with its class name under ``_type``."""
        values = {name: to_plain(getattr(self, name)) for name in field_rules(type(self))}
        return {"_type": type(self).__name__, **values}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, ignore_unknown: bool = False) -> Self:
        """Build a group from plain data.

        Parameters
        ----------
        data : Mapping[str, Any]
            Fields by name; missing ones get their defaults. ``_type`` may name a derived class.
        ignore_unknown : bool
            Ignore unknown names instead of raising an error.

        Raises
        ------
        ParameterError
            If a value or a combination of values is invalid.
        """
        return cls.build(data, cls.root_path(), ignore_unknown)

    @classmethod
    def build(cls, value: Any, path: str, ignore_unknown: bool = False) -> Self:
        """Build a group from an instance, a mapping, or None for all defaults.

        Parameters
        ----------
        value : Any
            The given value. A mapping may name a derived class under ``_type``.
        path : str
            Dotted name of the group, for messages.
        ignore_unknown : bool
            Ignore unknown names instead of raising an error.

        Raises
        ------
        ParameterError
            If it is invalid; the error lists all problems of the group.
        """
        if isinstance(value, cls):
            return value
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise ParameterError(
                f"{path or cls.__name__} must be {cls.__name__}, a mapping of its fields, or None, "
                f"got {shown(value)}."
            )
        group = object.__new__(chosen_class(cls, value, path))
        _initialise(group, value, path, ignore_unknown)
        return group

    @classmethod
    def root_path(cls) -> str:
        """Return the name that messages use when the group is built outside of a tree."""
        return cls.__name__

    def get(self, name: str) -> Any:
        """Return a value by its dotted name, for example ``get("agent_lr_factor.actor")``.

        Raises
        ------
        UnknownNameError
            A ``KeyError``, if no parameter has this name.
        """
        node: Any = self
        before = ""
        for part in name.split("."):
            if isinstance(node, Mapping) and part in node:
                node = node[part]
            elif part in (known := _child_names(node)):
                node = getattr(node, part)
            else:
                raise UnknownNameError(unknown_parameter(part, before, known))
            before = join(before, part)
        return node

    def child_names(self) -> list[str]:
        """Return the names that can be read from the group, in the order of their definition."""
        return [*self.derived_keys, *field_rules(type(self))]

    @classmethod
    def take_mapping(
        cls, data: Mapping[str, Any], path: str, problems: list[str], ignore_unknown: bool
    ) -> dict[str, Any]:
        """Check the given fields one by one.

        Returns
        -------
        values : dict[str, Any]
            The checked fields. Messages about the others are appended to ``problems``.
        """
        rules = field_rules(cls)
        values = {}
        for name, value in data.items():
            if name in ("_type", *cls.derived_keys):
                continue
            if name in rules:
                try:
                    values[name] = cls.take_field(rules[name], value, path, data, ignore_unknown)
                except ParameterError as error:
                    problems.extend(error.problems)
            elif not ignore_unknown:
                problems.append(cls.word_unknown(str(name), value, path))
        problems.extend(
            f"{join(path, name)} is missing. Give it a value: {name} has no default."
            for name, rule in rules.items()
            if name not in data and rule.default is ...
        )
        return values

    @classmethod
    def take_field(
        cls,
        rule: FieldRule,
        value: Any,
        path: str,
        data: Mapping[str, Any],  # noqa: ARG003
        ignore_unknown: bool,
    ) -> Any:
        """Check the value of one field, and build its group if it holds one.

        Parameters
        ----------
        rule : FieldRule
            The field.
        value : Any
            The value given for it.
        path : str
            Dotted name of this group.
        data : Mapping[str, Any]
            All values given for this group, for fields that depend on others.
        ignore_unknown : bool
            Ignore unknown names below it instead of raising an error.

        Raises
        ------
        ParameterError
            If the value is invalid.
        """
        name = join(path, rule.name)
        if rule.group_class is not None:
            return rule.group_class.build(value, name, ignore_unknown)
        # Defaults are text of ours, and most values are numbers.
        if value is not rule.default and (kind := find_secret(value)):
            raise ParameterError(
                f"{name} must not contain a key or a password, because it is stored with the run. "
                f"The given value, which is not repeated here, looks like one ({kind}). Put it "
                "into an environment variable; api_key_variable of an agent takes the name of one."
            )
        try:
            return check_value(rule.annotation, value, name, rule.default)
        except ValueError as error:
            raise ParameterError(str(error)) from None

    @classmethod
    def word_unknown(cls, name: str, value: Any, path: str) -> str:  # noqa: ARG003
        """Return the message about a name that is not a field."""
        return unknown_parameter(name, path, field_rules(cls))

    def __setattr__(self, name: str, value: Any) -> None:
        """Raise an error if the group has been checked, because it is immutable then."""
        if self.__dict__.get("_is_checked"):
            raise AttributeError(
                f"{type(self).__name__}.{name} cannot be set to {value!r}: parameters do not "
                f"change once they have been checked. Make new ones with dataclasses.replace(...), "
                f'or with HyperParameters.with_changes({{"dotted.name": value}}).'
            )
        object.__setattr__(self, name, value)


def register_parameter_class(cls: C) -> C:
    """Register a dataclass of parameters by its class name, and check values on construction."""
    written: Any = cls.__init__
    names = list(inspect.signature(written).parameters)[1:]

    @functools.wraps(written)
    def checked_init(self: SubParameters, *args: Any, **kwargs: Any) -> None:
        given = dict(zip(names, args, strict=False))
        if len(args) > len(names) or given.keys() & kwargs.keys():
            raise TypeError(
                f"{cls.__name__} got more than one value for a field. Give values by name."
            )
        _initialise(self, given | kwargs, cls.root_path(), ignore_unknown=False)

    cls.__init__ = checked_init  # type: ignore[method-assign, assignment]
    parameter_classes.register(cls.__name__, cls)
    return cls


def register_parameter_group(name: str, cls: type[SubParameters]) -> None:
    """Add a group of parameters to the root of the tree: ``hyper_params.<name>``.

    This is also its name on the command line and in stored files. ``PluginError`` is raised if the
    name is taken, or a field of the class has no default.
    """
    require_derived(f"parameter group {name!r}", cls, SubParameters)
    taken = field_rules(parameter_classes["HyperParameters"])
    if name in taken or not name.isidentifier() or name.startswith("_"):
        raise PluginError(
            f"A parameter group cannot be named {name!r}: its name must be a Python name that is "
            f"not yet a parameter. Choose another."
        )
    if required := [rule.name for rule in field_rules(cls).values() if rule.default is ...]:
        raise PluginError(
            f"Every field of {cls.__name__} needs a default, because the group {name!r} is part of "
            f"every tree. Add one to: {', '.join(required)}."
        )
    parameter_groups.register(name, cls)


def chosen_class(cls: type[P], data: Mapping[str, Any], path: str) -> type[P]:
    """Return the class that a mapping names under ``_type``; ``cls`` if it names none."""
    type_name = data.get("_type")
    if type_name is None or type_name == cls.__name__:
        return cls
    if not isinstance(type_name, str) or type_name not in parameter_classes:
        known = [name for name, known in parameter_classes.items() if issubclass(known, cls)]
        given = type_name if isinstance(type_name, str) else shown(type_name)
        message = unknown_name("parameter class", given, known)
        raise ParameterError(f"{join(path, '_type')}: {message}")
    named = parameter_classes[type_name]
    if not issubclass(named, cls):
        raise ParameterError(
            f"{join(path, '_type')} must name {cls.__name__} or a class derived from it, "
            f"got {type_name!r}."
        )
    return named


_rules_of_classes: dict[type, dict[str, FieldRule]] = {}


def field_rules(cls: type[SubParameters]) -> dict[str, FieldRule]:
    """Return the rules of all fields of a group, in the order of their definition."""
    if cls not in _rules_of_classes:
        hints = typing.get_type_hints(cls, include_extras=True)
        fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(typing.cast(Any, cls))
        _rules_of_classes[cls] = {
            field.name: _rule_of(field, hints[field.name]) for field in fields if field.init
        }
    return _rules_of_classes[cls]


def _rule_of(field: dataclasses.Field[Any], annotation: Any) -> FieldRule:
    default: Any = ...
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    return FieldRule(field.name, annotation, default, _group_class(annotation))


def _group_class(annotation: Any) -> type[SubParameters] | None:
    """Return the first parameter class in an annotation, also in a union."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, SubParameters) else None
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType, typing.Annotated):
        return None
    found = (_group_class(argument) for argument in typing.get_args(annotation))
    return next(filter(None, found), None)


def _initialise(
    group: SubParameters, data: Mapping[str, Any], path: str, ignore_unknown: bool
) -> None:
    """Initialise a group from the given values; check each field, then their combinations."""
    cls = type(group)
    problems: list[str] = []
    values = cls.take_mapping(data, path, problems, ignore_unknown)
    if not problems:
        for name, rule in field_rules(cls).items():
            if rule.group_class is not None and name not in values:
                values[name] = cls.take_field(rule, rule.default, path, data, ignore_unknown)
        # The __init__ of the dataclass decorator, without the checks that were wrapped around it.
        inspect.unwrap(cls.__init__)(group, **values)
        problems.extend(group.find_problems(functools.partial(join, path)))
    if problems:
        raise ParameterError(*problems)
    object.__setattr__(group, "_is_checked", True)
    for message in group.find_warnings():
        warn_user(message)


def _child_names(node: Any) -> list[str]:
    """Return the names directly below a node of the tree."""
    if isinstance(node, SubParameters):
        return node.child_names()
    return list(node) if isinstance(node, Mapping) else []


def to_plain(value: Any) -> Any:
    """Convert a value to the types that YAML and JSON have."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return value
