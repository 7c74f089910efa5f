"""Legal messages: the nodes that an agent may name."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nip.scenario_base.agents import ILLEGAL_LOGIT, AgentContext


def last_marks(message: Float[Tensor, "*axes"]) -> Bool[Tensor, "*axes"]:
    """Return which nodes the last message marks.

    In observations normalised to mean 0 a mark is still positive and all other entries are at most
    0, because marks are rare.
    """
    return message > 0


def legal_nodes(
    context: AgentContext, observation: Mapping[str, Tensor]
) -> Bool[Tensor, "batch channel position symbol"]:
    """Return the nodes that an agent may name, as symbols ``graph * N + node``.

    No agent may name padding. On each channel and at each position, a prover must name a node of
    the graph in which the last message marks no node, so that it answers a node of one graph with a
    node of the other. Without a message to answer, it must name a node of graph 0.
    """
    is_node = observation["node_mask"][:, None, None]
    if context.is_prover:
        marks_first_graph = last_marks(observation["message"][..., 0, :]).any(dim=-1)
        may_name_graph = torch.stack((~marks_first_graph, marks_first_graph), dim=-1)
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
