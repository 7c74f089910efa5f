"""Parsing of the overrides of a command line, and checks of their names."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException

from nip.command_line import value_types
from nip.command_line.value_types import mapping_parameter
from nip.errors import ParameterError, shown


def parse_overrides(arguments: Sequence[str]) -> list[Override]:
    """Parse arguments such as ``ppo.clip_epsilon=0.1``; refuse others with a ``ParameterError``."""
    parser = OverridesParser.create()
    overrides = []
    for argument in arguments:
        try:
            overrides.extend(parser.parse_overrides([argument]))
        except (HydraException, ValueError, RecursionError):
            # An integer of thousands of digits, and a list nested as deeply, break the parser.
            raise ParameterError(_unreadable(argument)) from None
    return overrides


def single_jobs(overrides: Sequence[Override]) -> Iterator[list[str]]:
    """Iterate over the jobs of a sweep, one list of arguments each, in Hydra's order.

    Sweeps whose values are known only to Hydra (``interval``, ``glob``) are left out.
    """
    choices: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if override.is_sweep_override() and not _lists_its_values(override):
            continue
        if override.is_sweep_override():
            values = list(override.sweep_string_iterator())
        else:
            values = [override.get_value_element_as_str()]
        choices[key] = [key if override.is_delete() else f"{key}={value}" for value in values]
    yield from (list(job) for job in itertools.product(*choices.values()))


def _lists_its_values(override: Override) -> bool:
    listing = (ValueType.CHOICE_SWEEP, ValueType.SIMPLE_CHOICE_SWEEP, ValueType.RANGE_SWEEP)
    return override.value_type in listing


def refuse_sweeps(overrides: Sequence[Override]) -> None:
    """Refuse several values for one parameter outside a sweep, with a ``ParameterError``."""
    for override in overrides:
        if override.is_sweep_override():
            raise ParameterError(
                f"{override.input_line} has several values, which makes a sweep of runs. Add "
                f"--multirun to run them all, or write a list as "
                f"{override.key_or_group}=[first,second]."
            )


def names_hydra(override: Override) -> bool:
    """Whether an override configures Hydra itself, such as ``hydra/launcher=joblib``."""
    return override.key_or_group.split(".")[0].split("/")[0] == "hydra"


def check_names(overrides: Sequence[Override], tree: Mapping[str, Any]) -> None:
    """Refuse names that are not in the tree of defaults, whether added with ``+`` or not.

    A ``ParameterError`` lists every unknown name, with the closest known one.
    """
    problems = []
    for override in overrides:
        package = "" if override.package is None else f"@{override.package}"
        if problem := unknown_name_in(tree, f"{override.key_or_group}{package}".split(".")):
            problems.append(problem)
        elif override.is_add():
            problems.append(
                f"{override.key_or_group!r} is a parameter already, so there is nothing to add. "
                f"Leave out the +: {(override.input_line or '').lstrip('+')}"
            )
    if problems:
        raise ParameterError(*problems)


def unknown_name_in(tree: Mapping[str, Any], parts: Sequence[str]) -> str | None:
    """Return the message for a dotted name that is not in the tree; None if it is."""
    node: Any = tree
    if mapping_parameter(parts) is not None:
        return None
    for depth, part in enumerate(parts):
        path = ".".join(parts[:depth])
        if not isinstance(node, Mapping):
            return f"There is no parameter {'.'.join(parts)!r}: {path!r} is a single value."
        if part not in node:
            return _unknown(parts, path, part, node, tree)
        node = node[part]
    return None


def unknown_names_in(tree: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """Yield a message for each name of a composed tree that is not in the tree of defaults."""
    yield from _unknown_below(tree, given, tree, (), value_types.root_type())


def _unknown_below(
    tree: Mapping[str, Any],
    given: Mapping[str, Any],
    root: Mapping[str, Any],
    path: tuple[str, ...],
    kind: value_types.ValueType,
) -> Iterator[str]:
    if kind.is_mapping:
        return
    for name, value in given.items():
        here = (*path, str(name))
        if name not in tree:
            yield _unknown(here, ".".join(path), str(name), tree, root)
        elif isinstance(value, Mapping) and isinstance(tree[name], Mapping):
            yield from _unknown_below(tree[name], value, root, here, kind.below(str(name)))


def _unknown(
    parts: Sequence[str], path: str, part: str, node: Mapping[str, Any], tree: Mapping[str, Any]
) -> str:
    """Suggest a similar name here, else a parameter of this name elsewhere, else list all names."""
    message = f"There is no parameter {'.'.join(parts)!r}."
    if path == "agents":
        message = f"There is no agent {'.'.join(parts)!r}; there are {', '.join(sorted(node))}."
    dotted = {str(name): ".".join(filter(None, (path, str(name)))) for name in node}
    if close := closest(part, dotted):
        whole = ".".join([dotted[close], *parts[len(path.split(".")) + 1 if path else 1 :]])
        is_known = unknown_name_in(tree, whole.split(".")) is None
        return f"{message} Did you mean {(whole if is_known else dotted[close])!r}?"
    known = sorted(dotted_names(tree))
    if elsewhere := [name for name in known if name.endswith(f".{part}")]:
        return f"{message} Did you mean {' or '.join(repr(name) for name in elsewhere[:3])}?"
    if close := closest(".".join(parts), known):
        return f"{message} Did you mean {close!r}?"
    return f"{message} Known here: {', '.join(sorted(dotted)) or 'nothing'}."


def dotted_names(tree: Mapping[str, Any]) -> Iterator[str]:
    """Iterate over the dotted names of all leaves."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from (f"{name}.{below}" for below in dotted_names(value))
        else:
            yield str(name)


def closest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that is closest to a misspelt one, if any is close."""
    return next(iter(get_close_matches(name, sorted(known), n=1)), None)


def _unreadable(argument: str) -> str:
    if "=" not in argument:
        return (
            f"Cannot read {shown(argument)}: an argument is a name and a value, such as seed=1. "
            f"--help lists what can be given."
        )
    return (
        f"Cannot read {shown(argument)}. Write name=value, a list as name=[a,b], and put quotes "
        f"around text with special characters: 'name=\"a = b\"'."
    )
