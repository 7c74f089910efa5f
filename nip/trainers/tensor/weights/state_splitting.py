"""Splitting a nested state dict into tensors, by file, and a JSON document."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from nip.utils.exact_json import check_exact

FORMAT = 2
"""Version of the document; checkpoints without it are read by ``old_checkpoints``."""

ROOT_FILE = "root"
"""File of tensors that lie at the root of a state dict."""

StateDict = Mapping[str, Any]
"""Nested mappings with strings as keys, whose leaves are tensors or values that JSON can hold."""

Files = dict[str, dict[str, Tensor]]
"""Tensors by file and name."""


def split_state(state: StateDict) -> tuple[Files, dict[str, Any]]:
    """Split a state dict into tensors and plain data.

    The tensors of each mapping get a file named after its path, such as ``agents.verifier.body``.

    Returns
    -------
    files : dict of str to dict of str to Tensor
        The tensors, by file and name.
    document : dict
        Everything else, for JSON, with the path of each file.

    Raises
    ------
    TypeError
        If a list holds a tensor, a key is not a string, or JSON cannot hold a value.
    """
    files: Files = {}
    paths: dict[str, list[str]] = {}
    plain = _without_tensors(state, ())
    # Also checked when it is written, but as a part of the document, with another path.
    check_exact(plain)
    for path, tensors in _tensors_by_path(state, ()):
        file = _free_name(path, files)
        files[file], paths[file] = tensors, list(path)
    return files, {"format": FORMAT, "state": plain, "files": paths}


def join_state(
    files: Mapping[str, Mapping[str, Tensor]], document: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the state dict that ``split_state`` was given."""
    state = _copied(document["state"])
    for file, path in document["files"].items():
        target = state
        for key in path:
            target = target[key]
        target.update(files[file])
    return state


def _without_tensors(state: StateDict, path: tuple[str, ...]) -> dict[str, Any]:
    plain = {}
    for key, value in state.items():
        if not isinstance(key, str):
            raise TypeError(
                f"{_shown(path)} has the key {key!r} of type {type(key).__name__}, but keys must "
                "be strings. Convert it with str()."
            )
        if isinstance(value, Mapping):
            plain[key] = _without_tensors(value, (*path, key))
        elif isinstance(value, list | tuple) and any(isinstance(each, Tensor) for each in value):
            raise TypeError(
                f"{_shown((*path, key))} is a {type(value).__name__} of tensors, which cannot be "
                "saved. Return a dictionary of tensors, with a name for each."
            )
        elif not isinstance(value, Tensor):
            plain[key] = value
    return plain


def _tensors_by_path(
    state: StateDict, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Yield the path of each mapping that holds tensors, and its tensors."""
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    if tensors:
        yield path, tensors
    for key, value in state.items():
        if isinstance(value, Mapping):
            yield from _tensors_by_path(value, (*path, key))


def _free_name(path: tuple[str, ...], taken: Mapping[str, Any]) -> str:
    """Return a file name for a path that no other path has."""
    name = ".".join(re.sub(r"[^A-Za-z0-9._-]", "_", key) for key in path) or ROOT_FILE
    name = name if name[0].isalnum() else f"x{name}"
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def _shown(path: tuple[str, ...]) -> str:
    return "state_dict()" + "".join(f"[{key!r}]" for key in path)


def _copied(state: StateDict) -> dict[str, Any]:
    return {
        key: _copied(value) if isinstance(value, Mapping) else value for key, value in state.items()
    }
