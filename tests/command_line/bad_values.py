"""Values that nobody should give, and the check of a command line without Hydra's composition."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nip.command_line.composition import compose_run
from nip.command_line.config_folders import ConfigFolders
from nip.command_line.overrides import dotted_names, parse_overrides
from nip.command_line.request import read_request
from nip.command_line.typed_text import quote_typed_texts
from tests.fork_server import REPOSITORY

FOLDERS = ConfigFolders(REPOSITORY / "configs")

VALUES = (
    "0",
    "-1",
    "1",
    "2",
    "1000000000",
    "1000000000000000000",
    f"1{'0' * 400}",
    f"1{'0' * 5000}",
    "0.5",
    "-0.0",
    "1e308",
    "-1e308",
    "1e-308",
    "nan",
    "inf",
    "-inf",
    "true",
    "null",
    "''",
    "' '",
    "'\0'",
    "x" * 5000,
    f"a/{'x' * 300}",
    "é",
    "'\udcff'",
    "../..",
    "[]",
    "{}",
    "[1,2]",
    "{a: 1}",
    f"{'[' * 60}1{']' * 60}",
    "1_0",
    "'\x1b[31m'",
)
"""What is given for each parameter, in the syntax of the command line."""

REFERENCES = ("${oc.env:HOME}", "${nothing}", "${seed}", "${rl}")
"""Further values, which only Hydra's composition resolves."""


def base_tree(arguments: list[str]) -> dict[str, Any]:
    """Compose a tree from which single values are changed."""
    return compose_run(arguments, FOLDERS).tree


def parameters_of(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of all parameters, of the agents only of the one that decides."""
    for name in dotted_names(tree):
        if not name.startswith("agents.") or name.startswith("agents.verifier."):
            yield name


def check_with(tree: Mapping[str, Any], name: str, value: str) -> None:
    """Check a run with one parameter given on the command line, as the command line does.

    Only the composition of the other values, which takes most of the time, is not repeated.
    """
    (override,) = parse_overrides(quote_typed_texts([f"{name}={value}"]))
    changed = node = dict(tree)
    *path, last = name.split(".")
    for part in path:
        node[part] = dict(node[part])
        node = node[part]
    node[last] = override.value()
    read_request(changed)


def write_splits(data_dir: Path) -> None:
    """Write what the checks look for: the folders of a dataset, which they do not read."""
    for split in ("train", "test"):
        folder = data_dir / "graph_isomorphism" / "demo" / "raw" / split
        folder.mkdir(parents=True)
        (folder / "data.safetensors").touch()
