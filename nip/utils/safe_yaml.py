"""Reading of YAML from files that nobody has checked: as data only, and of limited size."""

import re
from contextlib import suppress
from functools import cache
from typing import Any

import yaml
from yaml.error import MarkedYAMLError
from yaml.reader import ReaderError

MAX_REPEATED_NODES = 100_000
"""How many values aliases may add to a file by naming parts of it again."""


MAX_DEPTH = 5000
"""Greatest depth, estimated from above, at which the parser in C is given a text."""


_READ_DIFFERENTLY = re.compile(
    r"""[\t\ufeff]           # Blanks and marks that the parser in C skips in more places.
    | [|>][-+0-9]*\#        # A comment right behind the sign of a block.
    | (?:^|[\s,\[\]{}])!    # Tags of nothing.""",
    re.VERBOSE,
)


class AliasError(yaml.YAMLError):
    """Aliases that contain themselves, or that multiply a file."""


class _Limits:
    """What :class:`LimitedLoader` refuses besides."""

    def get_single_node(self) -> yaml.Node | None:
        """Return the parsed document, after checking it."""
        node: yaml.Node | None = super().get_single_node()  # type: ignore[misc]
        if node is not None:
            sizes: dict[int, int] = {}
            if _expanded_size(node, sizes) > len(sizes) + MAX_REPEATED_NODES:
                raise AliasError("its aliases (*name) repeat parts of it too often")
        return node


class LimitedLoader(_Limits, yaml.SafeLoader):
    """PyYAML's safe loader, which also refuses what would be read differently or without end.

    These are a name that is given twice in a mapping, of which YAML would take the last; aliases
    that contain themselves or that multiply a file; and values nested too deeply.
    """


@cache
def _twin_in_c(loader: Any) -> Any:
    """Return the loader with the parser in C; None if PyYAML was built without it."""
    if not hasattr(yaml, "CSafeLoader"):
        return None

    class Twin(_Limits, yaml.CSafeLoader):
        yaml_constructors = loader.yaml_constructors
        yaml_implicit_resolvers = loader.yaml_implicit_resolvers

    return Twin


def load_yaml(text: str, loader: type[LimitedLoader] = LimitedLoader) -> Any:
    """Parse one YAML document; whatever is wrong with it raises ``yaml.YAMLError``.

    The text of the error is one line, with the place in the document.
    """
    twin = _twin_in_c(loader)  # type: ignore[arg-type] # As all classes, it can be hashed.
    if twin is not None and is_harmless(text) and _is_read_alike(text):
        # It takes a fraction of the time. What it refuses is explained by the other one.
        with suppress(yaml.YAMLError, ValueError, OverflowError, RecursionError):
            return twin(text).get_single_data()
    try:
        return loader(text).get_single_data()
    except (MarkedYAMLError, ReaderError) as error:
        raise yaml.YAMLError(_in_one_line(error)) from error
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error
    except (ValueError, OverflowError) as error:  # Such as the date 2001-99-99.
        raise yaml.YAMLError(f"it has a value that does not exist: {error}") from error


def _in_one_line(error: MarkedYAMLError | ReaderError) -> str:
    """Say what is wrong and where, without the name of the stream, which is none of a file."""
    if isinstance(error, ReaderError):
        return str(error).partition("\n")[0]
    mark = error.problem_mark or error.context_mark
    place = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
    return f"{error.problem or error.context}{place}"


def _is_read_alike(text: str) -> bool:
    """Return whether the parser in C accepts no more of a text than PyYAML's own does."""
    has_question_in_flow = "?" in text and ("[" in text or "{" in text)
    return not has_question_in_flow and _READ_DIFFERENTLY.search(text) is None


def load_yaml_in_c(text: str) -> Any:
    """Parse one YAML document with the parser in C, which takes a tenth of the time.

    It is for showing files, since it takes the last value of a name that is given twice.

    Returns
    -------
    value : Any
        The document; None if the parser refuses the text, or must not be given it, because it could
        crash or never end.
    """
    if not is_harmless(text):
        return None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        return loader.get_single_data()
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return None
    finally:
        loader.dispose()


def is_harmless(text: str) -> bool:
    """Return whether the parser in C can be given a text.

    Aliases can multiply a file, and values that are nested tens of thousands of levels deep make
    that parser crash. Each level takes a bracket, or a column of a line.
    """
    if "&" in text or "*" in text:
        return False
    depth = text.count("[") + text.count("{") + max(map(len, text.splitlines()), default=0)
    return depth <= MAX_DEPTH


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
