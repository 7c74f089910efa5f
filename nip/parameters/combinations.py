"""Combinations of parameters of different groups that cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nip.parameters.agents import LrFactors
from nip.parameters.parameters_base import field_rules

if TYPE_CHECKING:
    from nip.parameters.hyper_parameters import HyperParameters


def problems_with_combinations(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message for each impossible combination in a tree whose fields are all right."""
    yield from _problems_with_shared_bodies(hyper_params)
    yield from _problems_with_manual_architecture(hyper_params)


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
                    f"{dotted}.actor and {dotted}.critic must be equal while actor and critic "
                    f"share a body, got {factors.actor!r} and {factors.critic!r}. Make them equal, "
                    f"or set rl.use_shared_body=False."
                )


def _problems_with_manual_architecture(hyper_params: HyperParameters) -> Iterator[str]:
    """Refuse the hand-written policy where there is none."""
    needed = {"scenario": "graph_isomorphism", "interaction_protocol": "nip", "message_size": 1}
    wrong = {
        name: wanted for name, wanted in needed.items() if getattr(hyper_params, name) != wanted
    }
    for agent_name, agent in hyper_params.agents.items():
        if agent.use_manual_architecture and not agent.is_random and wrong:
            rules = " and ".join(f"{name}={wanted!r}" for name, wanted in needed.items())
            got = " and ".join(f"{name}={getattr(hyper_params, name)!r}" for name in wrong)
            yield (
                f"agents.{agent_name}.use_manual_architecture=True needs {rules}, got {got}. "
                f"Change that, or let the agent learn with use_manual_architecture=False."
            )
