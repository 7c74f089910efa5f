"""Tree of defaults of one run: its hyper-parameters, and the keys of the command line alone."""

from collections.abc import Mapping
from typing import Any, get_args

from nip.errors import ParameterError, shown, unknown_name
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, parameter_groups, protocol_specs, scenario_specs
from nip.parameters.base_run import BaseRunType
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
    if missing and (problem := _problem_with_base_run(choices.get("base_run"))):
        raise ParameterError(problem)
    if missing:
        raise ParameterError(
            f"Choose what to run: a named experiment, experiment=..., or "
            f"{' '.join(f'{name}=...' for name in missing)}. --help lists the choices."
        )
    if problems := problems_with_choices(choices, HyperParameters.interaction_protocol):
        raise ParameterError(*problems)


def _problem_with_base_run(group: Any) -> str | None:
    """Return which half of a base run is missing; None if there is none, or both are given."""
    if not isinstance(group, Mapping):
        return None
    kind, run_id = group.get("base_run_type", "none"), group.get("run_id")
    kinds = get_args(BaseRunType)
    if kind not in kinds:
        return f"base_run.base_run_type: {unknown_name('kind of base run', str(kind), kinds)}"
    if kind == "none" and run_id is not None:
        return (
            f"base_run.run_id={shown(run_id)} has no effect without base_run.base_run_type. Add "
            "base_run.base_run_type=parameters to take its parameters as defaults, or "
            "base_run.base_run_type=rerun_tests to test its models again."
        )
    if kind != "none" and run_id is None:
        return (
            f"base_run.base_run_type={shown(kind)} needs the run that it refers to. Add "
            "base_run.run_id=... with its name."
        )
    return None


def _agent_names(choices: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the agents of the chosen protocol; none if the protocol is unknown."""
    protocol, common = choices.get("interaction_protocol"), choices.get("protocol_common")
    name = HyperParameters.interaction_protocol if protocol is None else protocol
    if not isinstance(name, str) or name not in protocol_specs:
        return ()
    has_zero_knowledge = isinstance(common, Mapping) and common.get("zero_knowledge") is True
    return agent_names_of(name, zero_knowledge=has_zero_knowledge)
