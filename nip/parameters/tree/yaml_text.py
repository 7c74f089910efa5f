"""Reading and writing of YAML, consistent with YAML 1.2 for numbers and line breaks."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from nip.errors import ParameterError, shown
from nip.utils.safe_yaml import LimitedLoader, load_yaml

_RESTORE = "Restore it from a copy, or correct it."


class _Loader(LimitedLoader):
    """A safe loader, which also reads ``1e-3`` as a number, as YAML 1.2 and Python do."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which also quotes strings that a loader would change."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Escape the Unicode line break (NEL), which PyYAML would read back as a blank."""
        style = '"' if "\x85" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)

for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.[\d_]+)[eE][-+]?\d+$"),
        list("-+0123456789."),
    )


def dump(tree: Mapping[str, Any]) -> str:
    """Convert plain data to YAML, preserving the order of keys."""
    text: str = yaml.dump(dict(tree), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def load_mapping(text: str, path: Path | None = None) -> dict[str, Any]:
    """Parse YAML; raise ``ParameterError`` unless it is valid and holds a mapping.

    ``path`` is the file that had the text, for the message.
    """
    try:
        tree = load_yaml(text, _Loader)
    except yaml.YAMLError as error:
        if path is None:
            raise ParameterError(f"The parameters are not valid YAML: {error}.") from error
        raise ParameterError(f"{path} is not valid YAML: {error}. {_RESTORE}") from error
    if not isinstance(tree, dict):
        name, remedy = ("The YAML of parameters", "") if path is None else (path, f" {_RESTORE}")
        raise ParameterError(
            f"{name} must be a mapping of names to values, got {shown(tree)}.{remedy}"
        )
    return tree
