"""Padding is illegal, and a prover answers with a node of the other graph."""

import pytest
import torch
from torch import Tensor

from nip.scenario_base.agents import ILLEGAL_LOGIT
from nip.scenarios.graph_isomorphism.legality import fill_illegal_nodes, legal_nodes
from tests.scenarios.graph_isomorphism.observations import make_context, scale_marks

GRAPH_0 = [1, 1, 0, 0, 0, 0]
GRAPH_1 = [0, 0, 0, 1, 1, 0]
"""Nodes of two graphs with two nodes each and room for three."""


def make_message(*symbols: int | None) -> Tensor:
    """Return one message for each symbol, (batch, 1, 1, 2, 3); None is no message."""
    message = torch.zeros(len(symbols), 6)
    for row, symbol in enumerate(symbols):
        if symbol is not None:
            message[row, symbol] = 1
    return message.view(-1, 1, 1, 2, 3)


def observe(message: Tensor) -> dict[str, Tensor]:
    """Return the part of an observation that decides what is legal."""
    node_mask = torch.tensor([True, True, False]).expand(len(message), 2, 3)
    return {"message": message, "x": message, "message_history": message, "node_mask": node_mask}


@pytest.mark.parametrize("is_scaled", [False, True])
def test_a_prover_answers_in_the_other_graph_and_begins_in_graph_0(is_scaled: bool) -> None:
    observation = observe(make_message(None, 0, 1, 3, 4))
    if is_scaled:
        observation = scale_marks(observation)
    legal = legal_nodes(make_context("prover", num_nodes=3), observation).int()
    assert legal.flatten(1).tolist() == [GRAPH_0, GRAPH_1, GRAPH_1, GRAPH_0, GRAPH_0]


def test_channels_and_positions_are_answered_one_by_one() -> None:
    context = make_context(
        "prover0", num_nodes=3, experiment={"interaction_protocol": "debate", "message_size": 2}
    )
    # On channel 0: a node of graph 0, a node of graph 1; on channel 1: nothing, a node of graph 0.
    message = make_message(0, 4, None, 1).view(1, 2, 2, 2, 3)
    legal = legal_nodes(context, observe(message)).int()
    assert legal.tolist() == [[[GRAPH_1, GRAPH_0], [GRAPH_0, GRAPH_1]]]


def test_a_prover_that_marks_pairs_opens_with_a_node_of_each_graph() -> None:
    pairs = {"message_size": 2, "graph_isomorphism": {"mark_pairs": True}}
    context = make_context("prover", num_nodes=3, experiment=pairs)
    # No message; then one that marks a node of graph 1 and one of graph 0.
    message = make_message(None, None, 3, 1).view(2, 1, 2, 2, 3)
    legal = legal_nodes(context, observe(message)).int()
    assert legal.squeeze(1).tolist() == [[GRAPH_0, GRAPH_1], [GRAPH_0, GRAPH_1]]
    message = make_message(None, None, 0, None).view(2, 1, 2, 2, 3)
    legal = legal_nodes(context, observe(message)).int()
    assert legal.squeeze(1).tolist() == [[GRAPH_0, GRAPH_1], [GRAPH_1, GRAPH_1]]


def test_a_verifier_may_name_every_node_there_is() -> None:
    legal = legal_nodes(make_context(num_nodes=3), observe(make_message(None, 0, 4))).int()
    assert legal.flatten(1).tolist() == [[1, 1, 0, 1, 1, 0]] * 3


def test_illegal_logits_are_replaced_and_legal_ones_kept() -> None:
    observation = observe(make_message(0))
    logits = torch.arange(6.0).view(1, 1, 1, 6)
    filled = fill_illegal_nodes(make_context("prover", num_nodes=3), logits, observation)
    bad = ILLEGAL_LOGIT
    assert filled.flatten().tolist() == [bad, bad, bad, 3.0, 4.0, bad]
