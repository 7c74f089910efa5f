"""Legal messages: the nodes that an agent may name."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nip.scenario_base.agents import ILLEGAL_LOGIT, AgentContext

POSITIONS_OF_A_PAIR = 2
"""Positions of a message that mark a pair of nodes, one of each graph."""


def last_marks(message: Float[Tensor, "*axes"]) -> Bool[Tensor, "*axes"]:
    """Return which nodes the last message marks.

    In observations normalised to mean 0 a mark is still positive and all other entries are at most
    0, because marks are rare.
    """
    return message > 0


def marks_pairs(context: AgentContext) -> bool:
    """Return whether positions ``2k`` and ``2k + 1`` of a message mark a pair of nodes."""
    return bool(context.hyper_params.graph_isomorphism.mark_pairs)


def num_colours(context: AgentContext) -> int:
    """Return the number of different marks in a message: one for each position, or each pair."""
    size = context.message_size
    return size // POSITIONS_OF_A_PAIR if marks_pairs(context) else size


def legal_nodes(
    context: AgentContext, observation: Mapping[str, Tensor]
) -> Bool[Tensor, "batch channel position symbol"]:
    """Return the nodes that an agent may name, as symbols ``graph * N + node``.

    No agent may name padding. On each channel and at each position, a prover must name a node of
    the graph in which the last message marks no node, so that it answers a node of one graph with a
    node of the other. Without a message to answer, it must name a node of graph 0, or, with
    ``graph_isomorphism.mark_pairs``, of graph 1 at each odd position.
    """
    is_node = observation["node_mask"][:, None, None]
    if context.is_prover:
        marks_graph = last_marks(observation["message"]).any(dim=-1)
        names_second = marks_graph[..., 0]
        if marks_pairs(context):
            opens = ~marks_graph.any(dim=-1)
            is_odd = torch.arange(context.message_size, device=opens.device) % 2 == 1
            names_second = names_second | (opens & is_odd)
        may_name_graph = torch.stack((~names_second, names_second), dim=-1)
        return (is_node & may_name_graph.unsqueeze(-1)).flatten(-2)
    shape = observation["message"].shape
    return is_node.expand(shape).flatten(-2)


def fill_illegal_nodes(
    context: AgentContext,
    logits: Float[Tensor, "batch channel position symbol"],
    observation: Mapping[str, Tensor],
) -> Float[Tensor, "batch channel position symbol"]:
    """Return the logits with those of illegal nodes replaced by ``ILLEGAL_LOGIT``."""
    # float16 cannot represent ILLEGAL_LOGIT.
    logits = logits.to(torch.get_default_dtype())
    return logits.masked_fill(~legal_nodes(context, observation), ILLEGAL_LOGIT)
