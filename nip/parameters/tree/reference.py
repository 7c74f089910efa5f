"""Tables of all parameters, generated from their classes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from nip.parameters.agents import AgentParameters, BaseAgentParameters, RandomAgentParameters
from nip.parameters.callbacks import callback_specs
from nip.parameters.checks.unused_options import CHOICES
from nip.parameters.fields.validation import describe
from nip.parameters.named_components import NamedComponent, loss_term_specs
from nip.parameters.parameters_base import (
    FieldRule,
    SubParameters,
    field_rules,
    parameter_groups,
    to_plain,
)
from nip.parameters.specs import scenario_specs
from nip.parameters.tree.field_docs import field_docs
from nip.parameters.tree.hyper_parameters import HyperParameters
from nip.parameters.update_schedule import UpdateSchedule, schedule_classes


@dataclass(frozen=True)
class ParameterEntry:
    """One parameter as the reference and ``--help`` show it."""

    name: str
    """Dotted name from the root of the tree; ``<agent>`` stands for the name of any agent."""

    values: str
    """Description of the values that it accepts."""

    default: str
    """Its default in the syntax of the command line; empty if it must be given."""

    doc: str
    """Its help text."""


@dataclass(frozen=True)
class ParameterSection:
    """The parameters of one group."""

    title: str
    """Heading of the section."""

    doc: str
    """Summary of the group."""

    entries: list[ParameterEntry]
    """Its parameters, including those of groups in it."""


def parameter_sections() -> list[ParameterSection]:
    """Return the parameters of all registered groups, scenarios, callbacks and loss terms."""
    root_entries = [
        _entry(rule, field_docs(HyperParameters)[name], name)
        for name, rule in field_rules(HyperParameters).items()
        if rule.group_class is None and name not in ("agents", "plugin_groups")
    ]
    sections = [ParameterSection("Root", _summary(HyperParameters), root_entries)]
    sections.append(_agent_section("Agents of every scenario of networks", AgentParameters))
    for scenario, spec in scenario_specs.items():
        sections.append(_agent_section(f"Agents of `{scenario}`", spec.agent_parameters))
    for name, cls in schedule_classes().items():
        sections.append(
            _section(f"Update schedule `{name}`", cls, f"agents.<agent>.update_schedule.{name}")
        )
    groups = {name: rule.group_class for name, rule in field_rules(HyperParameters).items()}
    for group_name, group_class in {**groups, **dict(parameter_groups.items())}.items():
        if group_class is not None:
            section = _section(f"`{group_name}`", group_class, group_name)
            sections.append(replace(section, doc=section.doc + _readers_of(section)))
    for name, callback in callback_specs.items():
        sections.append(_part_section("Callback", name, callback.parameters, "callbacks"))
    for name, term in loss_term_specs.items():
        sections.append(_part_section("Loss term", name, term.parameters, "loss_terms"))
    return sections


def parameter_reference() -> str:
    """Return the tables of all parameters in Markdown."""
    return "\n".join(line for section in parameter_sections() for line in _lines_of(section))


def _lines_of(section: ParameterSection) -> Iterator[str]:
    yield from (f"## {section.title}", "", section.doc, "")
    if section.entries:
        yield from ("| parameter | values | default | meaning |", "|---|---|---|---|")
    for entry in section.entries:
        default = f"`{entry.default}`" if entry.default else "*required*"
        cells = [f"`{entry.name}`", entry.values, default, entry.doc]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _section(title: str, cls: type[SubParameters], path: str) -> ParameterSection:
    return ParameterSection(title, _summary(cls), list(_entries(cls, path)))


def _readers_of(section: ParameterSection) -> str:
    """Name the trainers, protocols and scenarios whose specs state that they read a group."""
    readers = [
        f"`{choice}={name}`"
        for choice, specs in CHOICES.items()
        for name, spec in specs.items()
        if any(spec.states_that_it_reads(entry.name) for entry in section.entries)
    ]
    return f" Read with {', '.join(readers)}." if readers else ""


def _part_section(kind: str, name: str, cls: type[NamedComponent], path: str) -> ParameterSection:
    """Return the options of a component that is chosen by name in a list."""
    section = _section(f"{kind} `{name}`", cls, f"{path}.{name}")
    entries = [
        replace(entry, default=name) if entry.name == f"{path}.{name}.name" else entry
        for entry in section.entries
    ]
    return replace(section, entries=entries)


def _agent_section(title: str, cls: type[BaseAgentParameters]) -> ParameterSection:
    """Return the parameters that a class of agents has beyond those of all networks."""
    is_special = issubclass(cls, AgentParameters) and cls is not AgentParameters
    common = field_rules(AgentParameters) if is_special else {}
    entries = [
        entry
        for entry in _entries(cls, "agents.<agent>")
        if entry.name.removeprefix("agents.<agent>.").split(".")[0] not in common
    ]
    if cls is AgentParameters:
        doc = _summary(RandomAgentParameters)
        random = ParameterEntry("agents.<agent>.is_random", describe(bool), "false", doc)
        entries.insert(0, random)
    doc = field_docs(HyperParameters)["agents"] if cls is AgentParameters else _summary(cls)
    return ParameterSection(title, doc, entries)


def _entries(cls: type[SubParameters], path: str) -> Iterator[ParameterEntry]:
    """Yield the fields of a group and of the groups in it."""
    docs = field_docs(cls)
    for name, rule in field_rules(cls).items():
        dotted, doc = f"{path}.{name}", docs.get(name, "")
        if rule.group_class is None:
            yield _entry(rule, doc, dotted)
        elif issubclass(rule.group_class, UpdateSchedule):
            choices = ", ".join(f"`{choice}`" for choice in schedule_classes())
            default = rule.group_class.build(rule.default, dotted)
            yield ParameterEntry(f"{dotted}._type", choices, type(default).__name__, doc)
        else:
            for below in _entries(rule.group_class, dotted):
                yield ParameterEntry(below.name, below.values, below.default, f"{doc} {below.doc}")


def _entry(rule: FieldRule, doc: str, dotted: str) -> ParameterEntry:
    default = "" if rule.default is ... else written(rule.default)
    return ParameterEntry(dotted, describe(rule.annotation), default, doc)


def written(value: Any) -> str:
    """Return a value in the syntax of the command line."""
    plain = to_plain(value)
    if plain is None or isinstance(plain, bool):
        return {None: "null", True: "true", False: "false"}[plain]
    if isinstance(plain, list):
        return f"[{','.join(written(item) for item in plain)}]"
    if isinstance(plain, dict):
        return f"{{{','.join(f'{key}:{written(item)}' for key, item in plain.items())}}}"
    return str(plain)


def _summary(cls: type) -> str:
    return (cls.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
