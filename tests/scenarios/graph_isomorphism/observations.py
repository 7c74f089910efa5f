"""Contexts and observations of graph isomorphism agents, for tests."""

from typing import Any

import torch
from torch import Tensor

from nip.parameters import GraphIsomorphismAgentParameters, HyperParameters
from nip.protocols import build_protocol_handler
from nip.scenario_base.agents import AgentContext

NUM_NODES = 5
"""Nodes for which there is room in the observations here."""


def make_context(
    agent_name: str = "verifier",
    *,
    num_nodes: int = NUM_NODES,
    experiment: dict[str, Any] | None = None,
    params: GraphIsomorphismAgentParameters | None = None,
    **agent: Any,
) -> AgentContext:
    """Return the context of an agent of an experiment, its parameters given whole or by field.

    Biases are random unless asked otherwise: with zero biases much of a network is zero, and
    tests would compare zeros with zeros.
    """
    fields = {"use_orthogonal_initialisation": False, **agent}
    if agent.get("use_manual_architecture"):
        fields = agent
    hyper_params = HyperParameters(
        scenario="graph_isomorphism",
        trainer="vanilla_ppo",
        dataset="any",
        agents={agent_name: params or GraphIsomorphismAgentParameters(**fields)},
        **(experiment or {}),
    )
    return AgentContext(
        hyper_params=hyper_params,
        params=hyper_params.agents[agent_name],
        agent_name=agent_name,
        protocol=build_protocol_handler(hyper_params),
        message_shape=(2, num_nodes),
    )


def make_observation(
    context: AgentContext, sizes: tuple[int, ...] = (5, 4, 3), seed: int = 0
) -> dict[str, Tensor]:
    """Return random graphs with a random mark on every channel in every round played so far.

    The pairs have the given sizes. The first is in round 0, where nothing is marked yet, the
    others are in the last rounds.
    """
    generator = torch.Generator().manual_seed(seed)
    batch, num_nodes = len(sizes), context.message_shape[-1]
    is_node = torch.arange(num_nodes) < torch.tensor(sizes)[:, None, None].expand(-1, 2, 1)
    upper = torch.rand(batch, 2, num_nodes, num_nodes, generator=generator).triu(1) > 0.6
    is_edge = (upper | upper.mT) & is_node.unsqueeze(-1) & is_node.unsqueeze(-2)
    rounds = torch.tensor([0, *[context.num_rounds - 1] * (batch - 1)])
    shape = (batch, context.num_rounds, context.num_visible_channels, context.message_size)
    symbols = torch.rand(*shape, 2, generator=generator)
    graph = (symbols[..., :1] > 0.5).long()
    node = (symbols[..., 1] * torch.tensor(sizes).view(-1, 1, 1, 1)).long()
    marks = torch.nn.functional.one_hot(graph.squeeze(-1) * num_nodes + node, 2 * num_nodes)
    was_played = torch.arange(context.num_rounds) < rounds.unsqueeze(-1)
    history = marks * was_played.view(*was_played.shape, 1, 1, 1)
    history = history.to(torch.get_default_dtype()).unflatten(-1, (2, num_nodes))
    last = (rounds - 1).clamp_min(0)
    observation = {
        "adjacency": is_edge.int(),
        "node_mask": is_node,
        "round": rounds,
        "x": history,
        "message_history": history,
        "message": history[torch.arange(batch), last],
    }
    if context.linear_symbols is not None:
        linear = torch.rand(*shape, context.linear_symbols, generator=generator)
        observation["linear_message_history"] = linear
        observation["linear_message"] = linear[:, -1]
    return observation


MARK_KEYS = ("x", "message_history", "message")
"""Keys of observations whose last two axes are graph and node."""


def renumber_nodes(observation: dict[str, Tensor], order: Tensor) -> dict[str, Tensor]:
    """Return the observation with both graphs' nodes in another order."""
    changed = {key: observation[key][..., order] for key in MARK_KEYS}
    adjacency = observation["adjacency"][..., order, :][..., order]
    node_mask = observation["node_mask"][..., order]
    return observation | changed | {"adjacency": adjacency, "node_mask": node_mask}


def swap_graphs(observation: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the observation with graph 0 and graph 1 exchanged."""
    changed = {key: observation[key].flip(-2) for key in MARK_KEYS}
    adjacency, node_mask = (observation[key].flip(1) for key in ("adjacency", "node_mask"))
    return observation | changed | {"adjacency": adjacency, "node_mask": node_mask}


def pad_nodes(observation: dict[str, Tensor], num_extra: int) -> dict[str, Tensor]:
    """Return the observation with room for more nodes."""
    pad = torch.nn.functional.pad
    changed = {key: pad(observation[key], (0, num_extra)) for key in (*MARK_KEYS, "node_mask")}
    return observation | changed | {"adjacency": pad(observation["adjacency"], (0, num_extra) * 2)}


def scale_marks(observation: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the observation as scaling to mean 0 leaves it: no mark is -0.2, a mark is 4.8."""
    return observation | {key: (observation[key] - 0.04) / 0.2 for key in MARK_KEYS}
