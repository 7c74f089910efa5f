"""Tree of defaults of one run: its hyper-parameters, and the keys of the command line alone."""

from collections.abc import Mapping
from typing import Any

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, parameter_groups, protocol_specs, scenario_specs
from nip.parameters.checks.choices import problems_with_choices
from nip.parameters.tree.command_line_tree import MISSING, class_tree, default_tree
from nip.protocols.registry import agent_names_of

RUN_KEYS = ("run_id", "resume", "num_parallel_seeds", "dry_run", "plugins", "settings")
"""Keys at the root of the tree that are no hyper-parameters."""

_REQUIRED = ("scenario", "dataset", "trainer")


def all_defaults(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return all defaults as nested plain data.

    Without a known ``scenario`` among the choices, the tree has no agents.
    """
    scenario = choices.get("scenario")
    if isinstance(scenario, str) and scenario in scenario_specs:
        tree = default_tree(scenario, _agent_names(choices))
    else:
        tree = {**class_tree(HyperParameters), "agents": {}}
        del tree["plugin_groups"]
        tree |= {name: class_tree(group) for name, group in parameter_groups.items()}
    return {
        **tree,
        "run_id": None,
        "resume": "auto",
        "num_parallel_seeds": 1,
        "dry_run": False,
        "plugins": [],
        "settings": class_tree(ExperimentSettings),
    }


def check_choices(choices: Mapping[str, Any]) -> None:
    """Require that scenario, dataset and trainer are chosen and compatible.

    Raises
    ------
    ParameterError
        If one is missing or unknown, or they are incompatible.
    """
    missing = [name for name in _REQUIRED if choices.get(name) in (None, MISSING)]
    if missing:
        raise ParameterError(
            f"Choose what to run: a named experiment, experiment=..., or "
            f"{' '.join(f'{name}=...' for name in missing)}. --help lists the choices."
        )
    if problems := problems_with_choices(choices, HyperParameters.interaction_protocol):
        raise ParameterError(*problems)


def _agent_names(choices: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the agents of the chosen protocol; none if the protocol is unknown."""
    protocol, common = choices.get("interaction_protocol"), choices.get("protocol_common")
    name = HyperParameters.interaction_protocol if protocol is None else protocol
    if not isinstance(name, str) or name not in protocol_specs:
        return ()
    has_zero_knowledge = isinstance(common, Mapping) and common.get("zero_knowledge") is True
    return agent_names_of(name, zero_knowledge=has_zero_knowledge)
