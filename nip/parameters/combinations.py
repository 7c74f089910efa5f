"""Combinations of parameters of different groups that cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nip.errors import did_you_mean
from nip.parameters.agents import DEFAULT_AGENT, LrFactors
from nip.parameters.catalogue import protocol_facts
from nip.parameters.parameters_base import field_rules

if TYPE_CHECKING:
    from nip.parameters.hyper_parameters import HyperParameters


def problems_with_combinations(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message for each impossible combination in a tree whose fields are all right."""
    yield from _problems_with_agent_names(hyper_params)
    yield from _problems_with_shared_bodies(hyper_params)
    yield from _problems_with_manual_architecture(hyper_params)


def _problems_with_agent_names(hyper_params: HyperParameters) -> Iterator[str]:
    """Refuse parameters for agents that the protocol does not have."""
    protocol = hyper_params.interaction_protocol
    known = protocol_facts[protocol].agent_names
    if known is None:
        return
    for name in hyper_params.agents.listed_names:
        if name not in known:
            suggestion = did_you_mean(name, known)
            yield (
                f"agents.{name}: the protocol {protocol!r} has no agent {name!r}. "
                f"{suggestion + ' ' if suggestion else ''}Its agents: {', '.join(known)}; "
                f"{DEFAULT_AGENT!r} stands for all that are not listed."
            )


def _problems_with_shared_bodies(hyper_params: HyperParameters) -> Iterator[str]:
    """Refuse two learning rates for a body that actor and critic share."""
    if not hyper_params.rl.use_shared_body:
        return
    for agent_name, agent in hyper_params.agents.items():
        if agent.is_random:
            continue
        for name in field_rules(type(agent)):
            factors = getattr(agent, name)
            if isinstance(factors, LrFactors) and not factors.are_equal:
                dotted = f"agents.{agent_name}.{name}"
                yield (
                    f"{dotted}.actor and {dotted}.critic must be equal while actor and critic share "
                    f"a body, got {factors.actor!r} and {factors.critic!r}. Make them equal, or set "
                    f"rl.use_shared_body=false."
                )


def _problems_with_manual_architecture(hyper_params: HyperParameters) -> Iterator[str]:
    """Refuse the hand-written policy where there is none."""
    needed = {"scenario": "graph_isomorphism", "interaction_protocol": "nip", "message_size": 1}
    wrong = {
        name: wanted for name, wanted in needed.items() if getattr(hyper_params, name) != wanted
    }
    for agent_name, agent in hyper_params.agents.items():
        if agent.use_manual_architecture and wrong:
            rules = " and ".join(f"{name}={wanted!r}" for name, wanted in needed.items())
            got = " and ".join(f"{name}={getattr(hyper_params, name)!r}" for name in wrong)
            yield (
                f"agents.{agent_name}.use_manual_architecture=True needs {rules}, got {got}. Change "
                f"that, or let the agent learn with use_manual_architecture=False."
            )
