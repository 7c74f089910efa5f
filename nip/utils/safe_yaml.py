"""Reading of YAML from files that nobody has checked: as data only, and of limited size."""

from typing import Any

import yaml

MAX_REPEATED_NODES = 100_000
"""How many values aliases may add to a file by naming parts of it again."""


class AliasError(yaml.YAMLError):
    """Aliases that contain themselves, or that multiply a file."""


class LimitedLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which also refuses what would be read differently or without end.

    These are a name that is given twice in a mapping, of which YAML would take the last; aliases
    that contain themselves or that multiply a file; and values nested too deeply.
    """

    def get_single_node(self) -> yaml.Node | None:
        """Return the parsed document, after checking it."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            sizes: dict[int, int] = {}
            if _expanded_size(node, sizes) > len(sizes) + MAX_REPEATED_NODES:
                raise AliasError("its aliases (*name) repeat parts of it too often")
        return node


def load_yaml(text: str, loader: type[LimitedLoader] = LimitedLoader) -> Any:
    """Parse one YAML document; whatever is wrong with it raises ``yaml.YAMLError``."""
    try:
        return loader(text).get_single_data()
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error
    except (ValueError, OverflowError) as error:  # Such as the date 2001-99-99.
        raise yaml.YAMLError(f"it has a value that does not exist: {error}") from error


def problem_with_aliases(text: str) -> str | None:
    """Return what is wrong with the aliases in YAML that another loader is going to read."""
    try:
        LimitedLoader(text).get_single_node()
    except AliasError as error:
        return str(error)
    except (yaml.YAMLError, RecursionError):
        return None  # The other loader reports it.
    return None


def _expanded_size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Count the values below a node as often as they are named, and note the counts by node."""
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise AliasError("it has an alias (*name) within what it stands for")
        return sizes[id(node)]
    sizes[id(node)] = 0
    below: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        _refuse_repeated_names(node)
        below = [each for pair in node.value for each in pair]
    elif isinstance(node, yaml.SequenceNode):
        below = node.value
    sizes[id(node)] = 1 + sum(_expanded_size(each, sizes) for each in below)
    return sizes[id(node)]


def _refuse_repeated_names(node: yaml.MappingNode) -> None:
    names: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if (name := (key.tag, key.value)) in names:
            raise yaml.YAMLError(f"{key.value!r} is given twice (line {key.start_mark.line + 1})")
        names.add(name)
