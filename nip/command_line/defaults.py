"""The tree of defaults of one run: its hyper-parameters, and what the command line adds to them."""

from collections.abc import Mapping
from typing import Any

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, parameter_groups, protocol_specs, scenario_specs
from nip.parameters.checks.choices import problems_with_choices
from nip.parameters.tree.command_line_tree import MISSING, class_tree, default_tree
from nip.protocols import build_protocol_handler

RUN_KEYS = ("run_id", "resume", "dry_run", "plugins", "settings")
"""What stands at the root of the tree beside the hyper-parameters."""

_REQUIRED = ("scenario", "dataset", "trainer")


def all_defaults(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Write all defaults as nested plain data.

    Parameters
    ----------
    choices : Mapping[str, Any]
        ``scenario`` and ``interaction_protocol`` as far as they are chosen. Without a known
        scenario, the agents have no parameters.
    """
    scenario = choices.get("scenario")
    if isinstance(scenario, str) and scenario in scenario_specs:
        tree = default_tree(scenario, _agent_names(choices.get("interaction_protocol")))
    else:
        tree = {**class_tree(HyperParameters), "agents": {}}
        del tree["plugin_groups"]
        tree |= {name: class_tree(group) for name, group in parameter_groups.items()}
    return {
        **tree,
        "run_id": None,
        "resume": "auto",
        "dry_run": False,
        "plugins": [],
        "settings": class_tree(ExperimentSettings),
    }


def check_choices(choices: Mapping[str, Any]) -> None:
    """Require that scenario, dataset and trainer are chosen, and that they go together.

    Raises
    ------
    ParameterError
        If one is missing or unknown, or if they do not fit.
    """
    missing = [name for name in _REQUIRED if choices.get(name) in (None, MISSING)]
    if missing:
        raise ParameterError(
            f"Say what to run: a named experiment, experiment=..., or "
            f"{' '.join(f'{name}=...' for name in missing)}. --help lists what can be chosen."
        )
    if problems := problems_with_choices(choices, HyperParameters.interaction_protocol):
        raise ParameterError(*problems)


def _agent_names(protocol: Any) -> list[str]:
    """Name the agents of a protocol; none where the protocol is unknown."""
    name = HyperParameters.interaction_protocol if protocol is None else protocol
    if not isinstance(name, str) or name not in protocol_specs:
        return []
    # Any experiment will do to ask for names, which no parameter decides.
    example = HyperParameters(
        scenario="toy", dataset="witness", trainer="vanilla_ppo", interaction_protocol=name
    )
    return list(build_protocol_handler(example).agent_names)
