"""Text of ``--help``."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from nip.command_line.config_folders import ConfigFolders
from nip.command_table import typed
from nip.errors import UnknownNameError, unknown_name
from nip.experiment_settings import ExperimentSettings
from nip.parameters import protocol_specs, scenario_specs, trainer_specs
from nip.parameters.fields.validation import describe
from nip.parameters.parameters_base import field_rules
from nip.parameters.tree.field_docs import field_docs
from nip.parameters.tree.reference import (
    ParameterEntry,
    ParameterSection,
    parameter_sections,
    written,
)
from nip.plugins import load_installed_plugins

_WIDTH = 98
_COLUMN = 24

_HEAD = """\
Run an experiment: agents learn to play a protocol on a scenario.

  {run} experiment=NAME [NAME=VALUE ...]
  {run} scenario=NAME dataset=NAME trainer=NAME [NAME=VALUE ...]

Examples
  {run} scenario=toy dataset=witness trainer=vanilla_ppo run_id=first
  {run} experiment=gi_nip_ppo rl.num_iterations=100 dry_run=true
  {run} experiment=gi_nip_ppo agents.verifier.num_gnn_layers=3
  {run} experiment=gi_nip_ppo seed=8144,820,4173 --multirun
"""

_RUN_DOCS = {
    "run_id": "Name of the run and of its folder; by default made of experiment and time.",
    "resume": "auto: resume the run if it exists. must: only resume. never: only start a new run.",
    "num_parallel_seeds": "Number of seeds, from seed on, that train together, each as a run.",
    "dry_run": "true: build everything, report sizes and steps, train nothing.",
    "plugins": "Modules of your own to load, as in [my_trainer] or [path/to/file.py].",
}

_FLAGS = {
    "--help [GROUP ...]": "Show this text, or all parameters of groups: --help ppo settings",
    "--cfg job": "Print the composed parameters instead of running.",
    "--multirun": "Run one experiment for each combination of values: seed=1,2 rl.lr=0.01,0.001",
    "--config-dir DIR": "Search experiments in DIR/experiment first (configs/experiment).",
    "--hydra-help": "Show the options of Hydra: launchers, sweepers, shell completion.",
}

_EXIT_CODES = {
    "0": "Success.",
    "2": "The command is invalid, or a service or the budget allows no more; see the message.",
    "75": "Stopped by a signal of a batch system, such as SIGTERM: the same command goes on.",
    "130": "Stopped by Ctrl-C: the same command goes on.",
    "1": "An error in the code, with its traceback.",
}


def help_text(words: Sequence[str], folders: ConfigFolders) -> str:
    """Return the help, or that of some groups of parameters.

    Overrides among the words are used for the plugins they name.

    Raises
    ------
    UnknownNameError
        If there is no such group.
    """
    _load_plugins([word for word in words if "=" in word], folders)
    topics = [word for word in words if "=" not in word]
    lines = _overview(folders) if not topics else (line for name in topics for line in _group(name))
    return "\n".join(lines)


def _load_plugins(overrides: Sequence[str], folders: ConfigFolders) -> None:
    """Load the plugins whose parts are listed as well, without importing Hydra in vain."""
    if overrides or "plugins" in folders.primary.read_text(encoding="utf-8"):
        from nip.command_line.composition import compose_run

        compose_run(overrides, folders, may_be_incomplete=True)
    else:
        load_installed_plugins()


def _overview(folders: ConfigFolders) -> Iterator[str]:
    yield _HEAD.format(run=typed("run"))
    yield "What can be chosen"
    for name, known in _choices(folders).items():
        yield from _entry(name, known)
    yield from ("", "How it is run")
    for name, doc in _RUN_DOCS.items():
        yield from _entry(name, doc)
    yield from _entry("settings.NAME", ", ".join(field_rules(ExperimentSettings)))
    yield from ("", "Parameters (--help GROUP tells all about a group)")
    for topic, sections in _topics().items():
        names = dict.fromkeys(_short(entry, topic) for each in sections for entry in each.entries)
        yield from _entry(topic, ", ".join(names))
    yield from ("", "Flags")
    for name, doc in _FLAGS.items():
        yield from _entry(name, doc)
    yield from ("", "Exit codes")
    for name, doc in _EXIT_CODES.items():
        yield from _entry(name, doc)


def _choices(folders: ConfigFolders) -> dict[str, str]:
    datasets = [
        f"{scenario}: {', '.join(spec.builtin_datasets or [f'a folder in data/{scenario}'])}"
        for scenario, spec in scenario_specs.items()
    ]
    return {
        "experiment": ", ".join(folders.experiments()),
        "scenario": ", ".join(scenario_specs),
        "dataset": "; ".join(datasets),
        "interaction_protocol": ", ".join(protocol_specs),
        "trainer": ", ".join(trainer_specs),
    }


def _topics() -> dict[str, list[ParameterSection]]:
    """Group the sections by the group of their parameters; ``root`` for those in none."""
    topics: dict[str, list[ParameterSection]] = {}
    for section in parameter_sections():
        for name in {_topic(entry) for entry in section.entries}:
            topics.setdefault(name, []).append(section)
    return topics


def _topic(entry: ParameterEntry) -> str:
    group, dot, _ = entry.name.partition(".")
    return group if dot else "root"


def _short(entry: ParameterEntry, topic: str) -> str:
    """Return the name of a parameter, or of its subgroup, within its topic."""
    name = entry.name.removeprefix("agents.<agent>.").removeprefix(f"{topic}.")
    return name.split(".")[0]


def _group(name: str) -> Iterator[str]:
    """Describe all parameters of a group: values, default and meaning."""
    topics = _topics()
    if name == "settings":
        yield from _parameters("settings", _settings_entries())
    elif name in topics:
        for section in topics[name]:
            yield from _parameters(f"{section.title}: {section.doc}", section.entries)
    else:
        raise UnknownNameError(unknown_name("group of parameters", name, [*topics, "settings"]))


def _settings_entries() -> list[ParameterEntry]:
    docs = field_docs(ExperimentSettings)
    return [
        ParameterEntry(
            f"settings.{name}", describe(rule.annotation), written(rule.default), docs[name]
        )
        for name, rule in field_rules(ExperimentSettings).items()
    ]


def _parameters(title: str, entries: Iterable[ParameterEntry]) -> Iterator[str]:
    yield from ("", *textwrap.wrap(title.replace("`", ""), _WIDTH), "")
    for entry in entries:
        default = entry.default or "required"
        yield f"  {entry.name} = {default}"
        yield from textwrap.wrap(
            f"{entry.doc.replace('`', '')} ({entry.values})",
            _WIDTH,
            initial_indent=" " * 6,
            subsequent_indent=" " * 6,
        )


def _entry(name: str, text: str) -> Iterator[str]:
    """Lay out a name and its text in two columns."""
    lines = textwrap.wrap(text, _WIDTH - _COLUMN, break_long_words=False, break_on_hyphens=False)
    first, *rest = lines or [""]
    yield f"  {name:<{_COLUMN - 3}} {first}"
    yield from (" " * _COLUMN + line for line in rest)
