"""The tree of all defaults, with which a command line starts so that each can be overridden."""

from collections.abc import Sequence
from typing import Any

from nip.parameters.agents import DEFAULT_AGENT, BaseAgentParameters
from nip.parameters.parameters_base import (
    FieldRule,
    SubParameters,
    field_rules,
    parameter_groups,
    to_plain,
)
from nip.parameters.specs import scenario_specs
from nip.parameters.tree.hyper_parameters import HyperParameters
from nip.parameters.update_schedule import (
    ConstantUpdateSchedule,
    UpdateSchedule,
    schedule_classes,
)

MISSING = "???"
"""Marker of Hydra and OmegaConf for a value that must be given."""


def default_tree(scenario: str, agent_names: Sequence[str]) -> dict[str, Any]:
    """Return all defaults as nested plain data, as ``HyperParameters.from_dict`` reads it.

    Each value of an agent is interpolated from ``_default``
    (``${agents._default.num_gnn_layers}``), so that overriding it there changes all agents. The
    scenario decides the parameters of the agents; ``UnknownNameError`` if it is unknown. Update
    schedules list the fields of all classes; ``_type`` chooses one.
    """
    agent_class = scenario_specs[scenario].agent_parameters
    tree = class_tree(HyperParameters)
    del tree["plugin_groups"]
    tree["agents"] = _agents_tree(agent_class, agent_names)
    return {**tree, **{name: class_tree(group) for name, group in parameter_groups.items()}}


def class_tree(cls: type[SubParameters]) -> dict[str, Any]:
    """Return the defaults of a group, and of the groups in it, as nested plain data."""
    return {name: _field_tree(rule) for name, rule in field_rules(cls).items()}


def _field_tree(rule: FieldRule) -> Any:
    if rule.group_class is not None and issubclass(rule.group_class, UpdateSchedule):
        return _schedule_tree(rule.default or ConstantUpdateSchedule())
    if rule.group_class is not None:
        return class_tree(rule.group_class)
    return MISSING if rule.default is ... else to_plain(rule.default)


def _schedule_tree(default: UpdateSchedule) -> dict[str, Any]:
    """Return the fields of all schedules below their class names; None if they have no default."""
    tree: dict[str, Any] = {"_type": type(default).__name__}
    for name, cls in schedule_classes().items():
        tree[name] = {
            field: None if rule.default is ... else to_plain(rule.default)
            for field, rule in field_rules(cls).items()
        }
    return tree | default.to_dict()


def _agents_tree(agent_class: type[BaseAgentParameters], names: Sequence[str]) -> dict[str, Any]:
    default = {"is_random": False, **class_tree(agent_class)}
    path = f"agents.{DEFAULT_AGENT}"
    mappings = {
        name
        for name, rule in field_rules(agent_class).items()
        if rule.group_class is None and isinstance(default[name], dict)
    }
    own = _interpolated({**default, **dict.fromkeys(mappings)}, path)
    return {DEFAULT_AGENT: default, **dict.fromkeys(names, own)}


def _interpolated(tree: dict[str, Any], path: str) -> dict[str, Any]:
    """Replace each leaf of a tree by an interpolation of the leaf of the same name under a path."""
    return {
        name: _interpolated(value, f"{path}.{name}")
        if isinstance(value, dict)
        else f"${{{path}.{name}}}"
        for name, value in tree.items()
    }
