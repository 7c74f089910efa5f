"""Options of agents that no part of the agent reads, and defaults that no agent has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nip.parameters.agents import DEFAULT_AGENT, LrFactors
from nip.parameters.parameters_base import field_rules
from nip.parameters.protocols import ADVERSARIAL_VERIFIER, SIMULATOR, agents_in
from nip.parameters.specs import scenario_specs, trainer_specs, why_no_critics

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters

VERIFIER = "verifier"
"""Name of the agent that decides."""

_DECIDERS = {VERIFIER, ADVERSARIAL_VERIFIER, SIMULATOR}
"""Agents that have the part that decides."""

_DEFAULTS = f"agents.{DEFAULT_AGENT}."


def own_options(changed: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield changed options, except those that a listed agent has from ``_default``.

    The command line lists all agents, each with the values of ``_default`` that are not overridden.
    """
    options = dict(changed)
    for dotted, value in options.items():
        group, _, rest = dotted.partition(".")
        agent, _, option = rest.partition(".")
        default = f"{_DEFAULTS}{option}"
        is_inherited = group == "agents" and agent != DEFAULT_AGENT and default in options
        if not is_inherited or options[default] != value:
            yield dotted, value


def unused_agent_options(
    hyper_params: HyperParameters, changed: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield options of agents that have no effect, and the reason."""
    yield from _options_of_absent_parts(hyper_params)
    yield from _options_of_learning(hyper_params)
    yield from _defaults_of_nobody(hyper_params, changed)


def _options_of_absent_parts(hyper_params: HyperParameters) -> Iterator[tuple[str, str]]:
    """Yield the options that only those parts read which an agent does not have."""
    part_options = scenario_specs[hyper_params.scenario].part_options
    heads = trainer_specs[hyper_params.trainer].heads
    if heads is None:
        return
    if hyper_params.pretrain_agents and "solo_head" not in heads:
        heads = (*heads, "solo_head")
    for name in hyper_params.agents:
        for option in dict.fromkeys(each for options in part_options.values() for each in options):
            readers = [part for part, options in part_options.items() if option in options]
            if not any(_has_part(hyper_params, name, part, heads) for part in readers):
                yield f"agents.{name}.{option}", _why_absent(hyper_params, readers, heads)


def _options_of_learning(hyper_params: HyperParameters) -> Iterator[tuple[str, str]]:
    """Yield the options of how an agent learns that the trainer does not read."""
    spec, trainer = trainer_specs[hyper_params.trainer], f"with trainer={hyper_params.trainer!r}"
    without_critics = why_no_critics(hyper_params)
    for name, agent in hyper_params.agents.items():
        for field, rule in field_rules(type(agent)).items():
            if rule.group_class is LrFactors and without_critics:
                reason = f"with {without_critics}, whose agents have no critic"
                yield f"agents.{name}.{field}.critic", reason
        if not spec.reads_update_schedules:
            yield f"agents.{name}.update_schedule", f"{trainer}, in which agents always learn"
        if spec.continues_models:
            reason = f"{trainer}, which always starts from the model that has sampled"
            yield f"agents.{name}.fine_tune_from_scratch", reason


def _has_part(hyper_params: HyperParameters, name: str, part: str, heads: Iterable[str]) -> bool:
    """Return whether an agent, or one of those for which ``_default`` holds, has a part."""
    if part != "decider":
        return part in heads
    agents = _agents_with(hyper_params, name)
    return "policy_head" in heads and (agents is None or not _DECIDERS.isdisjoint(agents))


def _agents_with(hyper_params: HyperParameters, name: str) -> tuple[str, ...] | None:
    """Return the agents whose options an entry holds; None if the protocol does not state them."""
    if name != DEFAULT_AGENT:
        return (name,)
    agents = agents_in(hyper_params)
    if agents is None:
        return None
    listed = hyper_params.agents.listed_names
    # On the command line all are listed, with the values of the default.
    return tuple(agent for agent in agents if agent not in listed) or agents


def _why_absent(hyper_params: HyperParameters, readers: list[str], heads: Iterable[str]) -> str:
    if "decider" in readers and "policy_head" in heads:
        return f"for an agent other than {VERIFIER!r}, which alone decides"
    names = " or ".join("policy_head" if part == "decider" else part for part in readers)
    return f"with trainer={hyper_params.trainer!r}, whose agents have no {names}"


def _defaults_of_nobody(
    hyper_params: HyperParameters, changed: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield the options of ``_default`` for which each agent has a value of its own."""
    agents = agents_in(hyper_params)
    listed = hyper_params.agents.listed_names
    if agents is None or not set(agents) <= set(listed):
        return
    for dotted, value in changed.items():
        option = dotted.removeprefix(_DEFAULTS)
        if option == dotted:
            continue
        if all(changed.get(f"agents.{name}.{option}") != value for name in agents):
            yield dotted, "because every agent has an entry with a value of its own"
