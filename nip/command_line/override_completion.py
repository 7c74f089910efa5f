"""Completion of parameters and their values on the command line of a run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.command_line.config_folders import EXPERIMENT, ConfigFolders
from nip.errors import NipError
from nip.parameters import protocol_specs, scenario_specs, trainer_specs
from nip.scenario_base.dataset_files import dataset_names

if TYPE_CHECKING:
    from nip.command_line.composition import Composition

_RESUME = ("auto", "must", "never")


def complete_override(prefix: str, words: Sequence[str], folders: ConfigFolders) -> list[str]:
    """Return what a word may become: ``NAME=``, or ``NAME=VALUE`` once it has a name.

    Parameters
    ----------
    prefix : str
        The beginning of the word.
    words : sequence of str
        The words before it, on which depends which parameters exist.
    folders : ConfigFolders
        Folders of the named experiments.
    """
    name, equals, _ = prefix.partition("=")
    if not equals:
        tree = _composed(words, folders).defaults
        return [f"{each}=" for each in (EXPERIMENT, *_names(tree))]
    return [f"{name}={value}" for value in _values(name, words, folders)]


def _values(name: str, words: Sequence[str], folders: ConfigFolders) -> Iterable[str]:
    """Return known values of a parameter."""
    choices: dict[str, Iterable[str]] = {
        "scenario": scenario_specs,
        "trainer": trainer_specs,
        "interaction_protocol": protocol_specs,
        "resume": _RESUME,
    }
    if name == EXPERIMENT:
        return folders.experiments()
    if name in choices:
        return choices[name]
    composition = _composed(words, folders)
    if name == "dataset":
        return _datasets(composition.tree)
    default: Any = composition.defaults
    for part in name.split("."):
        default = default.get(part, {}) if isinstance(default, Mapping) else {}
    return ("true", "false") if isinstance(default, bool) else ()


def _datasets(tree: Mapping[str, Any]) -> Iterable[str]:
    scenario = tree.get("scenario")
    if not isinstance(scenario, str) or scenario not in scenario_specs:
        return ()
    builtin = scenario_specs[scenario].builtin_datasets
    if builtin is not None:
        return builtin
    return dataset_names(Path(tree["settings"]["data_dir"]) / scenario)


def _composed(words: Sequence[str], folders: ConfigFolders) -> "Composition":
    """Compose what has been typed so far; nothing, if that cannot be composed yet."""
    # Hydra takes a while to import, and names of experiments do not need it.
    from nip.command_line.composition import compose_run

    typed = [word for word in words if "=" in word]
    try:
        return compose_run(typed, folders, may_be_incomplete=True)
    except NipError:
        return compose_run([], folders, may_be_incomplete=True)


def _names(tree: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the dotted names of all parameters in a tree of defaults."""
    for name, below in tree.items():
        if isinstance(below, Mapping) and below:
            yield from _names(below, f"{path}{name}.")
        else:
            yield f"{path}{name}"
