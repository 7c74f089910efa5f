"""From overrides and YAML to one plain tree of parameters.

Which parameters there are depends on the scenario, the protocol and the plugins, which may
themselves stand in a YAML file. So composition goes twice over the same files: first for these
choices alone, then, on top of the full tree of defaults, for everything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from nip.command_line.base_run_choices import choices_of_base_run
from nip.command_line.defaults import all_defaults, check_choices
from nip.command_line.overrides import (
    check_names,
    names_hydra,
    parse_overrides,
    unknown_name_in,
    unknown_names_in,
)
from nip.errors import ParameterError, UnknownNameError, unknown_name
from nip.experiment_settings import ExperimentSettings
from nip.parameters.base_run import BaseRunParameters
from nip.parameters.tree.command_line_tree import class_tree
from nip.plugins import load_installed_plugins, load_plugins

CONFIG_NAME = "config"
DEFAULTS_NAME = "nip_defaults"
EXPERIMENT = "experiment"
VERSION_BASE = "1.3"

_CHOICES = ("scenario", "dataset", "trainer", "interaction_protocol", "plugins")
_GROUPS_OF_CHOICES = {"base_run": BaseRunParameters, "settings": ExperimentSettings}


@dataclass(frozen=True)
class ConfigFolders:
    """Where YAML files are looked for."""

    main: Path
    """Folder of ``config.yaml``."""

    extra: Path | None = None
    """A folder of the user's own, which comes first."""

    def experiments(self) -> dict[str, Path]:
        """Files of the named experiments."""
        folders = [self.main] if self.extra is None else [self.main, self.extra]
        return {
            path.relative_to(folder / EXPERIMENT).with_suffix("").as_posix(): path
            for folder in folders
            for path in sorted((folder / EXPERIMENT).rglob("*.yaml"))
        }

    def hydra_overrides(self) -> list[str]:
        """How Hydra is told of the extra folder."""
        return [f"hydra.searchpath=['file://{self.extra.resolve()}']"] if self.extra else []


@dataclass(frozen=True)
class Composition:
    """The parameters of one run, composed but not yet checked."""

    tree: dict[str, Any]
    """Hyper-parameters at the root, beside what says how to run them (``defaults.RUN_KEYS``)."""

    defaults: dict[str, Any]
    """The tree of defaults that it was composed on: every name that there is."""


def compose_run(
    arguments: Sequence[str], folders: ConfigFolders, *, may_be_incomplete: bool = False
) -> Composition:
    """Compose the parameters of one run.

    As a side effect, plugins are loaded, and Hydra knows the defaults of this run afterwards.

    Parameters
    ----------
    arguments : Sequence[str]
        Overrides as the user typed them, one run's worth.
    folders : ConfigFolders
        Where YAML files are looked for.
    may_be_incomplete : bool
        Whether scenario, trainer and dataset may be missing or unknown, as nothing will be run.

    Returns
    -------
    composition : Composition
        The parameters, and the defaults they stand on.

    Raises
    ------
    NipError
        If an argument cannot be read, a name is unknown, a file is missing or broken, or a plugin
        cannot be loaded.
    """
    overrides = parse_overrides(arguments)
    _check_experiment_exists(overrides, folders)
    load_installed_plugins()
    choices = _compose(_choosing(overrides), folders, _undecided())
    if isinstance(choices.get(EXPERIMENT), dict):
        raise ParameterError(
            "The file of an experiment must begin with the line '# @package _global_', or its "
            f"parameters get into a group named experiment. {_origin(overrides, folders)}"
        )
    load_plugins(_plugin_names(choices["plugins"]))
    taken_over = choices_of_base_run(choices)
    choices |= taken_over
    defaults = {**all_defaults(choices), **taken_over}
    check_names(overrides, defaults, groups=[EXPERIMENT])
    if not may_be_incomplete:
        check_choices(choices)
    tree = _compose(overrides, folders, defaults)
    if problems := list(unknown_names_in(defaults, tree)):
        raise ParameterError(*(f"{problem} {_origin(overrides, folders)}" for problem in problems))
    return Composition(tree, defaults)


def offer_defaults(trees: Iterable[Mapping[str, Any]]) -> None:
    """Make Hydra begin with the union of several trees, for jobs that differ in their defaults."""
    union = OmegaConf.merge(*(OmegaConf.create(dict(tree)) for tree in trees))
    ConfigStore.instance().store(name=DEFAULTS_NAME, node=union)


def _undecided() -> dict[str, Any]:
    """Name what chooses the tree, without any choice."""
    groups = {name: class_tree(group) for name, group in _GROUPS_OF_CHOICES.items()}
    return {**dict.fromkeys(_CHOICES), **groups}


def _choosing(overrides: Sequence[Override]) -> list[Override]:
    """Keep what chooses the tree, and leave out what has its place only in the full one."""
    known = _undecided()
    return [
        each
        for each in overrides
        if names_hydra(each)
        or each.key_or_group == EXPERIMENT
        or unknown_name_in(known, each.key_or_group.split(".")) is None
    ]


def _compose(
    overrides: Sequence[Override], folders: ConfigFolders, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Let Hydra put YAML files and overrides on top of the defaults."""
    ConfigStore.instance().store(name=DEFAULTS_NAME, node=dict(defaults))
    lines = [line for each in overrides if (line := each.input_line) is not None]
    try:
        with _fresh_hydra(), initialize_config_dir(str(folders.main), version_base=VERSION_BASE):
            config = compose(CONFIG_NAME, [*folders.hydra_overrides(), *lines])
        tree = OmegaConf.to_container(config, resolve=True)
    except YAMLError as error:
        raise ParameterError(_broken_yaml(error)) from error
    except UnicodeError as error:
        raise ParameterError(
            f"A YAML file is not text in UTF-8 ({error}). {_origin(overrides, folders)}"
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise ParameterError(_one_line(error)) from error
    assert isinstance(tree, dict)
    return {str(name): value for name, value in tree.items()}


@contextmanager
def _fresh_hydra() -> Iterator[None]:
    """Compose beside a Hydra application that is running, if there is one."""
    singleton = GlobalHydra.instance()
    running = singleton.hydra
    singleton.hydra = None
    try:
        yield
    finally:
        singleton.hydra = running


def _check_experiment_exists(overrides: Sequence[Override], folders: ConfigFolders) -> None:
    known = folders.experiments()
    for override in overrides:
        if override.key_or_group != EXPERIMENT or override.value() is None:
            continue
        name = str(override.value())
        if name not in known:
            where = folders.main / EXPERIMENT
            raise UnknownNameError(
                f"{unknown_name('experiment', name, known)} They lie in {where}."
            )


def _plugin_names(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return value
    raise ParameterError(f"plugins must be a list of modules or files, got {value!r}.")


def _origin(overrides: Sequence[Override], folders: ConfigFolders) -> str:
    """Say where a name came from that was not on the command line."""
    known = folders.experiments()
    files = [
        str(known[str(each.value())])
        for each in overrides
        if each.key_or_group == EXPERIMENT and str(each.value()) in known
    ]
    source = " or ".join(files) or folders.main / "config.yaml"
    return f"(It comes from {source}, or from a file named there.)"


def _broken_yaml(error: YAMLError) -> str:
    """Name the file and the line that cannot be read."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"A file is not valid YAML: {' '.join(str(error).split())}"
    problem = getattr(error, "problem", None) or "it cannot be read"
    return f"{mark.name} is not valid YAML: in line {mark.line + 1}, {problem}."


def _one_line(error: Exception) -> str:
    """Say in one line what Hydra or OmegaConf objects to."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    texts = [str(error).strip().splitlines()[0]]
    if cause is not None:
        texts.append(str(cause).strip().splitlines()[0])
    return "The parameters cannot be composed: " + " ".join(texts)
