"""Agents whose parameters and weights are loaded from another run.

As for base runs, a value counts as given if it differs from its default: a loaded agent can be
frozen with ``agent_lr_factor``, while the sizes of its networks come from the other run.
"""

import warnings
from pathlib import Path
from typing import Any

from nip.errors import NipWarning, ParameterError
from nip.experiment.base_run import merge
from nip.experiment_settings import ExperimentSettings
from nip.parameters import AgentParameters, HyperParameters
from nip.parameters.tree.unnamed import check_agent_is_named
from nip.run_store.reading import read_parameters
from nip.run_store.run_id import is_run_folder

_OWN = (
    "load_checkpoint_and_parameters",
    "checkpoint_run_id",
    "checkpoint_version",
    "checkpoint_project",
    "checkpoint_entity",
)


def apply_agent_checkpoints(
    hyper_params: HyperParameters, settings: ExperimentSettings, run_id: str | None = None
) -> HyperParameters:
    """Merge the parameters of loaded agents, if any, with those of their source runs; idempotent.

    Parameters
    ----------
    run_id : str, optional
        Name of the run. If it exists, its own stored parameters are used, so that it can be
        resumed without the source runs.

    Raises
    ------
    ParameterError
        If a source run does not exist or is incompatible.
    """
    if not any(map(_is_loaded, hyper_params.agents.values())):
        return hyper_params
    # These modules import torch, which other experiments do not need here.
    from nip.protocols.registry import agent_names_of
    from nip.trainers.tensor.weights.checkpoint_source import source_folder
    from nip.trainers.tensor.weights.saved_models import find_weights

    itself = None if run_id is None else Path(settings.runs_dir) / run_id
    agents = hyper_params.agents.to_dict()
    zero_knowledge = hyper_params.protocol_common.zero_knowledge
    for name in agent_names_of(hyper_params.interaction_protocol, zero_knowledge=zero_knowledge):
        given = hyper_params.agents[name]
        if not _is_loaded(given):
            continue
        assert isinstance(given, AgentParameters), given
        if itself is not None and is_run_folder(itself):
            source = itself
        else:
            source = source_folder(name, given, settings)
            find_weights(source, given.checkpoint_version)
        agents[name] = _take_over(name, given, _read_agent(name, source, hyper_params))
        used = type(given).build(agents[name], f"agents.{name}")
        check_agent_is_named(name, used, given, f"The run in {source}")
    return _build({**hyper_params.to_dict(), "agents": agents})


def _build(tree: dict[str, Any]) -> HyperParameters:
    """Build a tree without repeating warnings that were shown already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        return HyperParameters.from_dict(tree)


def _is_loaded(params: Any) -> bool:
    return isinstance(params, AgentParameters) and params.load_checkpoint_and_parameters


def _take_over(name: str, given: AgentParameters, stored: AgentParameters) -> dict[str, Any]:
    if stored.is_random or given.is_random:
        raise ParameterError(
            f"agents.{name} is random in {'the source' if stored.is_random else 'this'} run, so "
            f"it has no weights to load. Set agents.{name}.load_checkpoint_and_parameters=False, "
            "or is_random=False in both runs."
        )
    own = given.to_dict()
    merged = merge(stored.to_dict(), own, type(given)().to_dict())
    return {**merged, **{field: own[field] for field in _OWN}}


def _read_agent(name: str, folder: Path, given: HyperParameters) -> AgentParameters:
    """Read the parameters of the agent of the same name in another run."""
    from nip.protocols.registry import agent_names_of

    place = f"agents.{name}.checkpoint_run_id: the run in {folder}"
    try:
        stored = _build(read_parameters(folder))
    except ParameterError as error:
        raise ParameterError(f"{place} cannot be used: {error}") from error
    if stored.scenario != given.scenario:
        raise ParameterError(
            f"{place} has scenario={stored.scenario!r}; its agents cannot be used for "
            f"scenario={given.scenario!r}. Use the same scenario, or choose another run."
        )
    zero_knowledge = stored.protocol_common.zero_knowledge
    names = agent_names_of(stored.interaction_protocol, zero_knowledge=zero_knowledge)
    if name not in names:
        raise ParameterError(
            f"{place} has no agent {name!r}; it has {', '.join(names)}. Choose a run with this "
            f"agent, or set agents.{name}.load_checkpoint_and_parameters=False."
        )
    params = stored.agents[name]
    assert isinstance(params, AgentParameters), params
    return params
