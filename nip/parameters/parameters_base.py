"""What every group of parameters can do: be checked, stored, and read back.

A group is a dataclass that derives from `SubParameters` and carries `@register_parameter_class`:

```python
@register_parameter_class
@dataclass
class MyParameters(SubParameters):
    temperature: float = 1.0
    \"\"\"Softness of the target.\"\"\"
```
"""

import ast
import dataclasses
import functools
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from nip.errors import ParameterError, UnknownNameError, did_you_mean, unknown_name
from nip.parameters.validation import check_value
from nip.registry import Registry

P = TypeVar("P", bound="SubParameters")
G = TypeVar("G")
C = TypeVar("C", bound="type[SubParameters]")

parameter_classes: Registry[type["SubParameters"]] = Registry("parameter class")
"""All classes of parameters by their own name, which is what `_type` holds in a stored tree."""

GROUP_DEFAULT: Any = None
"""Default of a field that holds a group: build the group from its own defaults."""

if TYPE_CHECKING:

    class Group(Generic[G]):
        """Annotation of a field that holds a group: set as instance, mapping or None, read as G."""

        def __get__(self, instance: object, owner: type | None = None) -> G:
            """Read the group."""

        def __set__(self, instance: object, value: G | Mapping[str, Any] | None) -> None:
            """Give an instance, a mapping of its fields, or None for its defaults."""

else:

    class Group:
        """Annotation of a field that holds a group: at run time `Group[G]` is `G` itself."""

        def __class_getitem__(cls, group_class: type) -> type:
            """Give the class of the group."""
            return group_class


@dataclasses.dataclass(frozen=True)
class FieldRule:
    """What is known of one field of a group."""

    name: str
    """Name of the field."""

    annotation: Any
    """Its annotation, evaluated."""

    default: Any
    """Its default; `...` if it must be given. For a group: None."""

    group_class: type["SubParameters"] | None
    """Class of the group that the field holds; None for a plain value."""


@functools.cache
def field_rules(cls: type["SubParameters"]) -> dict[str, FieldRule]:
    """Everything about the fields of a group, in the order of their definition."""
    hints = typing.get_type_hints(cls, include_extras=True)
    rules = {}
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        default: Any = ...
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        annotation = hints[field.name]
        rules[field.name] = FieldRule(field.name, annotation, default, _group_class(annotation))
    return rules


def _group_class(annotation: Any) -> type["SubParameters"] | None:
    """Find the first parameter class in an annotation, looking into unions."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, SubParameters) else None
    for argument in typing.get_args(annotation):
        if found := _group_class(argument):
            return found
    return None


class SubParameters:
    """Base of all groups of parameters.

    Values are checked when a group is built. A built group does not change; make another one with
    `dataclasses.replace`, or with `HyperParameters.with_changes` for a whole tree.
    """

    derived_keys: ClassVar[tuple[str, ...]] = ()
    """Keys that `to_dict` writes for the reader and that are ignored on the way back."""

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Yield a message for each impossible combination of fields.

        Parameters
        ----------
        at
            Gives the full dotted name of a field of this group, for the messages.
        """
        yield from ()

    def to_dict(self) -> dict[str, Any]:
        """Write the group as plain data, with its class name under `_type`."""
        values = {name: to_plain(getattr(self, name)) for name in field_rules(type(self))}
        return {"_type": type(self).__name__, **values}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, ignore_unknown: bool = False) -> Self:
        """Read a group back.

        Parameters
        ----------
        data
            Fields by name. What is missing keeps its default. `_type` may name a derived class.
        ignore_unknown
            Leave out unknown names instead of refusing them.

        Raises
        ------
        ParameterError
            If any value or combination of values cannot be used.
        """
        return cls.build(data, cls.root_path(), ignore_unknown)

    @classmethod
    def build(cls, value: Any, path: str, ignore_unknown: bool = False) -> Self:
        """Make a group from an instance, a mapping, or None for all defaults.

        Parameters
        ----------
        value
            What was given. A mapping may name a derived class under `_type`.
        path
            Dotted name of the group, for messages.
        ignore_unknown
            Leave out unknown names instead of refusing them.

        Raises
        ------
        ParameterError
            If it cannot be made; lists all problems of the group.
        """
        if isinstance(value, cls):
            return value
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise ParameterError(
                f"{path} must be {cls.__name__}, a mapping of its fields, or None, got {value!r}."
            )
        group = object.__new__(chosen_class(cls, value, path))
        _initialise(group, value, path, ignore_unknown)
        return group

    @classmethod
    def root_path(cls) -> str:
        """Dotted name for messages when the group is built by itself rather than within a tree."""
        return cls.__name__

    def get(self, name: str) -> Any:
        """Read a value by its dotted name, for example `get("agent_lr_factor.actor")`.

        Raises
        ------
        UnknownNameError
            A `KeyError`, if there is no such parameter.
        """
        node: Any = self
        for position, part in enumerate(name.split(".")):
            known = _child_names(node)
            if isinstance(node, Mapping) and part in node:
                node = node[part]
            elif part in known:
                node = getattr(node, part)
            else:
                before = ".".join(name.split(".")[:position])
                kind = f"parameter in {before!r} named" if before else "parameter"
                raise UnknownNameError(unknown_name(kind, part, known))
        return node

    def child_names(self) -> list[str]:
        """Names that can be read from the group, in the order of their definition."""
        return [*self.derived_keys, *field_rules(type(self))]

    @classmethod
    def take_mapping(
        cls, data: Mapping[str, Any], path: str, problems: list[str], ignore_unknown: bool
    ) -> dict[str, Any]:
        """Check what was given for the fields, one by one.

        Returns
        -------
        values
            The checked fields. Messages about the others are appended to `problems`.
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
                problems.append(unknown_parameter(str(name), path, rules))
        for name, rule in rules.items():
            if name in data or name in values:
                continue
            if rule.default is ...:
                problems.append(f"{join(path, name)} is missing. Give it a value.")
        return values

    @classmethod
    def take_field(
        cls,
        rule: FieldRule,
        value: Any,
        path: str,
        data: Mapping[str, Any],
        ignore_unknown: bool,
    ) -> Any:
        """Check what was given for one field, and build the group if it holds one.

        Parameters
        ----------
        rule
            The field.
        value
            What was given for it.
        path
            Dotted name of this group.
        data
            All that was given for this group, where a field depends on others.
        ignore_unknown
            Leave out unknown names below instead of refusing them.

        Raises
        ------
        ParameterError
            If the value cannot be used.
        """
        name = join(path, rule.name)
        if rule.group_class is not None:
            return rule.group_class.build(value, name, ignore_unknown)
        try:
            return check_value(rule.annotation, value, name, rule.default)
        except ValueError as error:
            raise ParameterError(str(error)) from None

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse changes once the group has been checked."""
        if self.__dict__.get("_is_checked"):
            raise AttributeError(
                f"{type(self).__name__}.{name} cannot be set to {value!r}: parameters do not change "
                f"once they have been checked. Make new ones with dataclasses.replace(...), or with "
                f'HyperParameters.with_changes({{"dotted.name": value}}).'
            )
        object.__setattr__(self, name, value)


def chosen_class(cls: type[P], data: Mapping[str, Any], path: str) -> type[P]:
    """Find the class that a mapping names under `_type`; `cls` if it names none."""
    type_name = data.get("_type")
    if type_name is None or type_name == cls.__name__:
        return cls
    if type_name not in parameter_classes:
        known = [name for name, known in parameter_classes.items() if issubclass(known, cls)]
        raise ParameterError(
            f"{join(path, '_type')}: {unknown_name('parameter class', str(type_name), known)}"
        )
    named = parameter_classes[type_name]
    if not issubclass(named, cls):
        raise ParameterError(
            f"{join(path, '_type')} must name {cls.__name__} or a class derived from it, "
            f"got {type_name!r}."
        )
    return named


def _initialise(
    group: SubParameters, data: Mapping[str, Any], path: str, ignore_unknown: bool
) -> None:
    """Fill a new group from what was given, checking each field and then their combinations."""
    cls = type(group)
    problems: list[str] = []
    values = cls.take_mapping(data, path, problems, ignore_unknown)
    if not problems:
        for name, rule in field_rules(cls).items():
            if rule.group_class is not None and name not in values:
                values[name] = cls.take_field(rule, rule.default, path, data, ignore_unknown)
        # The initialiser that the dataclass decorator wrote, below the checks added to it.
        initialise = cls.__init__
        inspect.unwrap(initialise)(group, **values)
        problems.extend(group.find_problems(functools.partial(join, path)))
    if problems:
        raise ParameterError(*problems)
    object.__setattr__(group, "_is_checked", True)


def register_parameter_class(cls: C) -> C:
    """Enter a dataclass of parameters under its own name, and check values where it is built."""
    initialise = cls.__init__
    signature = inspect.signature(initialise)

    @functools.wraps(initialise)
    def checked_init(self: SubParameters, *args: Any, **kwargs: Any) -> None:
        positional = list(signature.parameters)[1 : len(args) + 1]
        if len(positional) < len(args):
            raise TypeError(f"{cls.__name__} takes {len(positional)} values, got {len(args)}.")
        given = dict(zip(positional, args, strict=True))
        if twice := sorted(given.keys() & kwargs.keys()):
            raise TypeError(f"{cls.__name__} got several values for {', '.join(twice)}.")
        _initialise(self, given | kwargs, cls.root_path(), ignore_unknown=False)

    cls.__init__ = checked_init  # type: ignore[assignment]
    parameter_classes.register(cls.__name__, cls)
    return cls


def join(path: str, name: str) -> str:
    """Put a name below a dotted one."""
    return f"{path}.{name}" if path else name


def unknown_parameter(name: str, path: str, known: Mapping[str, Any]) -> str:
    """Word the message for a field that a group does not have."""
    suggestion = did_you_mean(name, known)
    instead = suggestion or f"Known here: {', '.join(known)}."
    return f"There is no parameter {join(path, name)!r}. {instead}"


def _child_names(node: Any) -> list[str]:
    """Names of what is directly below a node of the tree."""
    if isinstance(node, SubParameters):
        return node.child_names()
    return list(node) if isinstance(node, Mapping) else []


def to_plain(value: Any) -> Any:
    """Write a value as what YAML and JSON know."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return value
