"""Least sizes of the networks of agents, from their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from nip.parameters.agents import AgentParameters
from nip.parameters.parameters_base import SubParameters
from nip.parameters.specs import trainer_specs
from nip.utils.memory_limit import MemoryNeed

if TYPE_CHECKING:
    from typing import Any

VERIFIER = "verifier"
"""Name of the agent that decides."""

LAYER = 250
"""Least size of a layer for itself, in weights of four bytes, however few weights it has."""

Sizes = tuple[str, tuple[str, ...], int]
"""A part, the options that its size follows from, and its least number of weights. Options of the
root are given without a prefix, those of the agent with a dot before them."""


def network_needs(
    agent: AgentParameters,
    at: Callable[[str], str],
    hyper_params: SubParameters,
    sizes: Iterable[Sizes],
) -> Iterator[MemoryNeed]:
    """Yield the memory of the parts of an agent."""
    for what, names, num_weights in sizes:
        options: dict[str, Any] = {}
        for name in names:
            if name.startswith("."):
                options[at(name[1:])] = getattr(agent, name[1:])
            else:
                options[name] = hyper_params.get(name)
        yield MemoryNeed(what, options, 4 * num_weights)


def head_sizes(
    agent: AgentParameters, at: Callable[[str], str], hyper_params: SubParameters, message: str
) -> Iterator[Sizes]:
    """Yield the sizes of the heads that the trainer's agents have.

    Parameters
    ----------
    message : str
        Name of the head that chooses the message in ``d_<name>`` and ``num_<name>_layers``.
    """
    heads = trainer_specs[hyper_params.get("trainer")].heads or ()
    is_verifier = at("").split(".")[-2:-1] == [VERIFIER]
    has_linear = "policy_head" in heads and hyper_params.get("include_linear_message_space")
    d_representation = hyper_params.get("d_representation")
    for name, is_built in (
        (message, "policy_head" in heads),
        ("decider", "solo_head" in heads or ("policy_head" in heads and is_verifier)),
        ("linear_message_selector", has_linear),
        ("value", "value_head" in heads),
    ):
        if is_built:
            hidden = getattr(agent, f"d_{name}")
            between = max(getattr(agent, f"num_{name}_layers") - 2, 0) * (hidden**2 + LAYER)
            names = (f".d_{name}", f".num_{name}_layers", "d_representation")
            yield f"the head of d_{name}", names, between + d_representation * hidden
