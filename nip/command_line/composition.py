"""Composition of YAML files and overrides into one plain tree of parameters.

Which parameters exist depends on the scenario, the protocol and the plugins, which may be chosen in
a YAML file. Hydra therefore composes the files alone, without any defaults; the choices are read
from the result, and files and overrides are applied to the defaults that belong to these choices.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from nip.command_line.base_run_choices import choices_of_base_run
from nip.command_line.config_folders import DEFAULTS_NAME, EXPERIMENT, ConfigFolders
from nip.command_line.defaults import RUN_KEYS, all_defaults, check_choices
from nip.command_line.overrides import (
    check_names,
    names_hydra,
    parse_overrides,
    unknown_name_in,
    unknown_names_in,
)
from nip.command_line.typed_text import quote_typed_texts
from nip.command_line.value_types import mapping_parameter, type_of
from nip.errors import NipError, ParameterError, UnknownNameError, unknown_name, warn_user
from nip.experiment_settings import ExperimentSettings
from nip.parameters.base_run import BaseRunParameters
from nip.parameters.protocols import CommonProtocolParameters
from nip.parameters.tree.command_line_tree import class_tree
from nip.plugins import load_installed_plugins, load_plugins
from nip.utils.files import regular
from nip.utils.safe_yaml import problem_with_aliases

VERSION_BASE = "1.3"

_ENVIRONMENT = "oc.env"
"""Resolver of OmegaConf that reads an environment variable."""

_CHOICES = ("scenario", "dataset", "trainer", "interaction_protocol", "plugins")
_GROUPS_OF_CHOICES = {
    "base_run": BaseRunParameters,
    "protocol_common": CommonProtocolParameters,
    "settings": ExperimentSettings,
}


@dataclass(frozen=True)
class Composition:
    """Composed parameters of one run, not yet checked."""

    tree: dict[str, Any]
    """Hyper-parameters at the root, and the keys ``defaults.RUN_KEYS``."""

    defaults: dict[str, Any]
    """The complete tree of defaults, which has every parameter that exists."""


def compose_run(
    arguments: Sequence[str], folders: ConfigFolders, *, may_be_incomplete: bool = False
) -> Composition:
    """Compose the parameters of one run.

    As a side effect, plugins are loaded.

    Parameters
    ----------
    may_be_incomplete : bool
        Whether scenario, trainer and dataset may be missing or unknown because nothing is run.

    Raises
    ------
    NipError
        If an argument cannot be parsed, a name is unknown, a file is missing or invalid, or a
        plugin cannot be loaded.
    """
    overrides = parse_overrides(quote_typed_texts(arguments))
    values = [each for each in overrides if not _is_for_hydra(each)]
    _check_experiment_exists(overrides, folders)
    load_installed_plugins()
    with _explained_errors(overrides, folders):
        files = _compose_files(filter(_is_for_hydra, overrides), folders)
        choices = _read_choices(files, values)
    if isinstance(files.get(EXPERIMENT), DictConfig):
        raise ParameterError(
            "The file of an experiment must begin with the line '# @package _global_'; without it, "
            f"its parameters form a group named experiment. {_origin(overrides, folders)}"
        )
    load_plugins(_plugin_names(choices["plugins"]))
    # Plugins may have registered parameters that are text.
    overrides = parse_overrides(quote_typed_texts(arguments))
    values = [each for each in overrides if not _is_for_hydra(each)]
    taken_over = choices_of_base_run(choices)
    choices |= taken_over
    defaults = {**all_defaults(choices), **taken_over}
    check_names(values, defaults)
    if not may_be_incomplete:
        check_choices(choices)
    with _explained_errors(overrides, folders):
        config = _merge(defaults, files)
        if problems := list(unknown_names_in(defaults, _plain(config, resolve=False))):
            origin = _origin(overrides, folders)
            raise ParameterError(*(f"{problem} {origin}" for problem in problems))
        config = _apply(values, config, defaults)
        _refuse_environment_in(config)
        tree = _plain(config)
        if OmegaConf.is_interpolation(config, "run_id") and tree["run_id"] is not None:
            # A reference to a number, such as ${seed}, names the run by its digits.
            tree["run_id"] = str(tree["run_id"])
    if problems := list(unknown_names_in(defaults, tree)):
        raise ParameterError(*problems)
    return Composition(tree, defaults)


def offer_defaults(trees: Iterable[Mapping[str, Any]]) -> None:
    """Let Hydra start from the union of several trees of defaults."""
    union = OmegaConf.merge(*(OmegaConf.create(dict(tree)) for tree in trees))
    ConfigStore.instance().store(name=DEFAULTS_NAME, node=union)


def _is_for_hydra(override: Override) -> bool:
    """Tell whether an override chooses files or configures Hydra, and is no parameter of ours."""
    return names_hydra(override) or override.key_or_group == EXPERIMENT


def _compose_files(overrides: Iterable[Override], folders: ConfigFolders) -> DictConfig:
    """Let Hydra compose the YAML files, without any defaults."""
    ConfigStore.instance().store(name=DEFAULTS_NAME, node={})
    lines = [line for each in overrides if (line := each.input_line) is not None]
    _refuse_multiplying_aliases(folders)
    with _fresh_hydra(), initialize_config_dir(str(folders.main), version_base=VERSION_BASE):
        if folders.extra is not None:
            search_path = GlobalHydra.instance().config_loader().get_search_path()
            search_path.prepend("extra", f"file://{folders.extra.resolve()}", anchor="main")
            # With this override, if the user gives no other one, Hydra reads the path again.
            lines.append("hydra.searchpath=[]")
        config = compose(folders.config_name, lines)
    OmegaConf.set_struct(config, False)
    return config


def _refuse_environment_in(config: DictConfig) -> None:
    """Refuse hyper-parameters that are read from the environment, because they are stored."""
    tree = _plain(config, resolve=False)
    for name, text in _texts_in({key: each for key, each in tree.items() if key not in RUN_KEYS}):
        if _ENVIRONMENT in text:
            raise ParameterError(
                f"{name} must not be read from the environment, because it is stored with the run "
                f"and may be a secret: {text!r}. Give the value itself, on the command line for "
                f"example as {name}=$VARIABLE; a key is given by the name of its variable, with "
                "api_key_variable."
            )


def _texts_in(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield all texts in plain data, each with its dotted name."""
    if isinstance(node, Mapping):
        for name, below in node.items():
            yield from _texts_in(below, f"{path}.{name}" if path else str(name))
    elif isinstance(node, list):
        for below in node:
            yield from _texts_in(below, path)
    elif isinstance(node, str):
        yield path, node


def _refuse_multiplying_aliases(folders: ConfigFolders) -> None:
    """Refuse files whose aliases OmegaConf, which copies what they stand for, would multiply."""
    for folder in folders.search_path:
        for path in (*folder.glob("*.yaml"), *(folder / EXPERIMENT).rglob("*.yaml")):
            if path.is_dir():
                continue
            try:
                text = regular(path).read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                raise ParameterError(
                    f"{path} cannot be read: {error.strerror}. Remove it, or give it another "
                    "extension."
                ) from error
            if "&" in text and "*" in text and (problem := problem_with_aliases(text)):
                raise ParameterError(f"{path} cannot be read: {problem}. Write the values out.")


def _read_choices(files: DictConfig, values: Sequence[Override]) -> dict[str, Any]:
    """Read everything on which the tree of defaults depends."""
    groups = {name: class_tree(group) for name, group in _GROUPS_OF_CHOICES.items()}
    tree = {**dict.fromkeys(_CHOICES), **groups}
    chosen = [
        each for each in values if unknown_name_in(tree, each.key_or_group.split(".")) is None
    ]
    config = _apply(chosen, _merge(tree, files))
    _refuse_environment_in(config)
    return {name: _plain(OmegaConf.select(config, name)) for name in tree}


def _apply(
    overrides: Iterable[Override], config: DictConfig, defaults: Mapping[str, Any] | None = None
) -> DictConfig:
    """Apply overrides in their order, as Hydra does.

    With the tree of defaults, a warning says which values are restored by a group that is set to
    null.
    """
    for override in overrides:
        key = override.key_or_group
        if defaults is not None and not override.is_delete() and override.value() is None:
            _warn_of_restored_defaults(key, config, defaults)
        _copy_mapping(config, key)
        if not override.is_delete():
            # A mapping that is a parameter is replaced as a whole, as a list is.
            is_group = not type_of(key.split(".")).is_mapping
            OmegaConf.update(config, key, override.value(), merge=is_group)
            continue
        group, _, name = key.rpartition(".")
        node = OmegaConf.select(config, group) if group else config
        if not isinstance(node, DictConfig) or override.value() not in (None, node.get(name)):
            raise ParameterError(
                f"{override.input_line}: {key} has another value. Leave out the value to restore "
                "the default."
            )
        node.pop(name, None)
    return config


def _warn_of_restored_defaults(key: str, config: DictConfig, defaults: Mapping[str, Any]) -> None:
    """Say what a group that is set to null loses, because null stands for all of its defaults."""
    default: Any = defaults
    for part in key.split("."):
        default = default.get(part) if isinstance(default, Mapping) else None
    given = OmegaConf.select(config, key)
    if not isinstance(default, Mapping) or not isinstance(given, DictConfig):
        return
    before, after = dict(_leaves(_plain(given, resolve=False))), dict(_leaves(default))
    restored = [
        f"{key}.{name}={after.get(name)} instead of {value}"
        for name, value in before.items()
        if value != after.get(name)
    ]
    if restored:
        warn_user(
            f"{key}=null restores the defaults of the group: {', '.join(restored)}. To change a "
            "single one, give its name."
        )


def _leaves(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from ((f"{name}.{below}", each) for below, each in _leaves(value))
        else:
            yield str(name), value


def _copy_mapping(config: DictConfig, key: str) -> None:
    """Give an agent its own copy of a mapping in ``_default`` before an entry of it is changed."""
    if (parts := mapping_parameter(key.split("."))) is None:
        return
    name = ".".join(parts)
    group = OmegaConf.select(config, ".".join(parts[:-1])) if parts[:-1] else config
    if isinstance(group, DictConfig) and OmegaConf.is_interpolation(group, parts[-1]):
        OmegaConf.update(config, name, _plain(OmegaConf.select(config, name)), merge=False)


def _merge(tree: Mapping[str, Any], files: DictConfig) -> DictConfig:
    config = OmegaConf.merge(_without_mappings(tree, files, ()), files)
    assert isinstance(config, DictConfig), config
    return config


def _without_mappings(
    tree: Mapping[str, Any], files: DictConfig, path: tuple[str, ...]
) -> dict[str, Any]:
    """Leave out the defaults of mappings that the files give as a whole."""
    kept = dict(tree)
    for name in files:
        below = None if OmegaConf.is_missing(files, name) else files._get_node(name)
        here = (*path, str(name))
        if not isinstance(below, DictConfig) or below._is_interpolation() or below._is_none():
            continue
        if type_of(here).is_mapping:
            kept[str(name)] = {}
        elif isinstance(kept.get(str(name)), Mapping):
            kept[str(name)] = _without_mappings(kept[str(name)], below, here)
    return kept


def _plain(node: Any, *, resolve: bool = True) -> Any:
    """Return plain data, by default with all references resolved."""
    return OmegaConf.to_container(node, resolve=resolve) if OmegaConf.is_config(node) else node


@contextmanager
def _explained_errors(overrides: Sequence[Override], folders: ConfigFolders) -> Iterator[None]:
    """Turn errors of YAML, Hydra and OmegaConf into messages for the user."""
    try:
        yield
    except YAMLError as error:
        raise ParameterError(_broken_yaml(error)) from error
    except UnicodeError as error:
        raise ParameterError(
            f"A YAML file is not text in UTF-8 ({error}). {_origin(overrides, folders)}"
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise ParameterError(_one_line(error)) from error
    except NipError:
        raise
    except (ValueError, OverflowError, RecursionError) as error:
        # A date that does not exist, an integer of thousands of digits, a value nested as deeply.
        raise ParameterError(
            f"A YAML file or value cannot be read ({_one_line_of(error)}). "
            f"{_origin(overrides, folders)}"
        ) from error


@contextmanager
def _fresh_hydra() -> Iterator[None]:
    """Compose independently of a Hydra application that may be running."""
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
            where = " and ".join(str(folder / EXPERIMENT) for folder in folders.search_path)
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
    source = " or ".join(files) or folders.primary
    return f"(It comes from {source}, or from a file named there.)"


def _broken_yaml(error: YAMLError) -> str:
    """Name the file and the line that cannot be read."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"A file is not valid YAML: {' '.join(str(error).split())}"
    problem = getattr(error, "problem", None) or "it cannot be read"
    return f"{mark.name} is not valid YAML: in line {mark.line + 1}, {problem}."


def _one_line_of(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _one_line(error: Exception) -> str:
    """Say in one line what Hydra or OmegaConf objects to."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    texts = [str(error).strip().splitlines()[0]]
    if cause is not None:
        texts.append(str(cause).strip().splitlines()[0])
    return "The parameters cannot be composed: " + " ".join(texts)
