"""Parameters of runs as flat names and values, and how runs differ in them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nip.errors import NipError
from nip.parameters.fields.dotted_names import join
from nip.parameters.tree.yaml_text import load_mapping
from nip.utils.files import read_text
from nip.utils.safe_yaml import load_yaml_in_c

ABSENT = "(none)"
"""Shown for a parameter that a run does not have."""


class ParameterRow(NamedTuple):
    """One parameter in several runs."""

    name: str
    """Dotted name."""

    values: tuple[str, ...]
    """Its value in each run, as text."""

    differs: bool
    """Whether its values differ."""


def read_tree(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; raise ``NipError`` or ``OSError`` if there is none."""
    text = read_text(path)
    tree = load_yaml_in_c(text)
    # The careful one says what is wrong.
    return tree if isinstance(tree, dict) else load_mapping(text, path)


def flat(tree: Mapping[str, Any]) -> dict[str, str]:
    """Return all parameters of a stored tree by dotted name, as text."""
    return dict(_leaves("", tree))


def compare(trees: Sequence[Mapping[str, str]]) -> list[ParameterRow]:
    """Return all parameters of several runs, in the order of the first that has them."""
    names = dict.fromkeys(name for tree in trees for name in tree)
    rows = []
    for name in names:
        values = tuple(tree.get(name, ABSENT) for tree in trees)
        rows.append(ParameterRow(name, values, len(set(values)) > 1))
    return rows


def changed_from_defaults(tree: Mapping[str, Any]) -> set[str]:
    """Return the names of the parameters of a run that do not have their defaults.

    Empty if the present version of nip cannot read the parameters.
    """
    import warnings

    from nip.parameters import HyperParameters
    from nip.parameters.tree.difference import difference

    required = ("scenario", "trainer", "dataset", "interaction_protocol")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            given = {name: tree[name] for name in required if name in tree}
            default = HyperParameters.from_dict(given)
            changed = {each.name for each in difference(default, tree)}
        except (NipError, LookupError, TypeError, ValueError):
            return set()
    return changed | set(required)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            if not str(name).startswith("_") or str(name) == "_default":
                yield from _leaves(join(path, str(name)), below)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for index, each in enumerate(value):
            yield from _leaves(join(path, str(index)), each)
    else:
        yield path, _text(value)


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
