"""Search for options that differ from their defaults but have no effect.

An option is unused if the chosen trainer, protocol or scenario does not read it while another one
does (see ``nip.parameters.specs``), or if a rule says so: of the chosen trainer, protocol or
scenario, or of the group that holds the option. An option with its default value is never reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nip.parameters.checks.unused_agent_options import own_options, unused_agent_options
from nip.parameters.parameters_base import SubParameters, field_rules
from nip.parameters.specs import (
    OptionReader,
    TrainerSpec,
    protocol_specs,
    scenario_specs,
    trainer_specs,
)
from nip.registry import Registry

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters

CHOICES: dict[str, Registry[Any]] = {
    "trainer": trainer_specs,
    "interaction_protocol": protocol_specs,
    "scenario": scenario_specs,
}
"""Options whose value decides which others are read, and the specs of their values."""

_AGENTS = {"tensordict": "networks", "text": "language models"}


def unused_options(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message for each option that differs from its default but has no effect.

    An option that is unused for several reasons is reported with the first of them.
    """
    changed = dict(_changed_options(hyper_params))
    own = dict(own_options(changed.items()))
    reported: set[str] = set()
    for option, reason in _reasons(hyper_params, changed):
        for dotted, value in own.items():
            if dotted != option and not dotted.startswith(f"{option}."):
                continue
            # An update schedule is reported as a whole, not once more for each of its fields.
            is_reported = any(f"{dotted}.".startswith(f"{known}.") for known in reported)
            if not is_reported:
                reported.add(dotted)
                yield f"{dotted}={value!r} has no effect {reason}."


def _changed_options(hyper_params: HyperParameters) -> Iterator[tuple[str, Any]]:
    """Yield dotted name and value of each option that differs from its default."""
    for path, group in groups_in("", hyper_params):
        for name, rule in field_rules(type(group)).items():
            value, dotted = getattr(group, name), f"{path}{name}"
            if rule.group_class is None:
                if dotted not in ("agents", "plugin_groups") and value != rule.default:
                    yield dotted, value
            # The options of a group of the declared class are compared one by one.
            elif type(value) is not rule.group_class and value != rule.group_class.build(
                rule.default, dotted
            ):
                yield dotted, value


def groups_in(path: str, group: SubParameters) -> Iterator[tuple[str, SubParameters]]:
    """Yield a group and all groups below it, each with the path in front of its options."""
    yield path, group
    for name in group.child_names():
        value = getattr(group, name)
        if isinstance(value, SubParameters):
            yield from groups_in(f"{path}{name}.", value)
        elif isinstance(value, Mapping):
            groups = {key: each for key, each in value.items() if isinstance(each, SubParameters)}
            for key, child in groups.items():
                yield from groups_in(f"{path}{name}.{key}.", child)


def _reasons(
    hyper_params: HyperParameters, changed: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield each option or group that has no effect, and the reason."""
    for choice, specs in CHOICES.items():
        yield from _unread_options(choice, getattr(hyper_params, choice), specs, changed)
    protocol = hyper_params.interaction_protocol
    if protocol_specs[protocol].has_fixed_order:
        reason = f"with interaction_protocol={protocol!r}, whose order is fixed"
        yield "protocol_common.verifier_first", reason
    for choice, specs in CHOICES.items():
        for rule in specs[getattr(hyper_params, choice)].unused_options:
            if rule.applies(hyper_params):
                yield from ((option, rule.reason) for option in rule.options)
    yield from unused_agent_options(hyper_params, changed)
    for path, group in groups_in("", hyper_params):
        for rule in group.unused_rules:
            if rule.applies(group, hyper_params):
                yield from ((f"{path}{option}", rule.reason) for option in rule.options)


def _unread_options(
    choice: str, name: str, specs: Registry[Any], changed: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Yield the options that another trainer, protocol or scenario reads, but not this one."""
    for option in changed:
        if not specs[name].may_read(option):
            readers = {
                reader: spec for reader, spec in specs.items() if spec.states_that_it_reads(option)
            }
            if readers:
                yield option, _why_unread(choice, name, specs[name], option, readers)


def _why_unread(
    choice: str, name: str, spec: OptionReader, option: str, readers: Mapping[str, OptionReader]
) -> str:
    """Return the reason why an option is unused, given the specs that read it."""
    names = " or ".join(map(repr, readers))
    if isinstance(spec, TrainerSpec):
        if all(getattr(reader, "data", None) != spec.data for reader in readers.values()):
            return f"with a trainer of {_AGENTS.get(spec.data, repr(spec.data))}"
        group = option.partition(".")[0]
        if all(reader.parameter_group != group for reader in readers.values()):
            return f"with trainer={name!r}, only with {names}"
    return f"unless {choice}={names}" if len(readers) == 1 else f"unless {choice} is {names}"
