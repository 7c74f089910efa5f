"""Heads have the right inputs, outputs and widths, and never choose illegal nodes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nip.parameters import GraphIsomorphismAgentParameters
from nip.scenario_base.agents import ILLEGAL_LOGIT, AgentContext
from nip.scenarios.graph_isomorphism.body import GraphIsomorphismBody
from nip.scenarios.graph_isomorphism.heads import (
    GraphIsomorphismPolicyHead,
    GraphIsomorphismSoloHead,
    GraphIsomorphismValueHead,
)
from nip.scenarios.graph_isomorphism.legality import legal_nodes
from tests.scenarios.graph_isomorphism.observations import (
    make_context,
    make_observation,
    pad_nodes,
    renumber_nodes,
)

pytestmark = pytest.mark.usefixtures("float64")

EXPERIMENTS: list[tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]] = [
    ("prover", {}, {"message": (3, 1, 1, 10)}),
    ("verifier", {}, {"message": (3, 1, 1, 10), "decision": (3, 3)}),
    (
        "verifier",
        {"interaction_protocol": "debate", "message_size": 3},
        {"message": (3, 2, 3, 10), "decision": (3, 3)},
    ),
    (
        "prover0",
        {"interaction_protocol": "mnip", "include_linear_message_space": True, "message_size": 2},
        {"message": (3, 1, 2, 10), "linear_message": (3, 1, 2, 2)},
    ),
    (
        "verifier",
        {"include_linear_message_space": True, "d_linear_message_space": 4},
        {"message": (3, 1, 1, 10), "decision": (3, 3), "linear_message": (3, 1, 1, 4)},
    ),
]


def represent(context: AgentContext) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return an observation and what a body makes of it."""
    torch.manual_seed(0)
    observation = make_observation(context)
    return observation, GraphIsomorphismBody(context).eval()(observation)


@pytest.mark.parametrize("node_selector", ["mlp", "similarity"])
@pytest.mark.parametrize(("agent_name", "experiment", "shapes"), EXPERIMENTS)
def test_an_agent_says_what_its_role_allows(
    agent_name: str,
    experiment: dict[str, Any],
    shapes: dict[str, tuple[int, ...]],
    node_selector: str,
) -> None:
    context = make_context(agent_name, experiment=experiment, node_selector=node_selector)
    observation, representation = represent(context)
    logits = GraphIsomorphismPolicyHead(context)(representation, observation)
    assert {name: tuple(value.shape) for name, value in logits.items()} == shapes
    is_legal = legal_nodes(context, observation)
    assert (logits["message"][~is_legal] == ILLEGAL_LOGIT).all()
    assert (logits["message"][is_legal] > -1e3).all()


@pytest.mark.parametrize("node_selector", ["mlp", "similarity"])
@pytest.mark.parametrize("agent_name", ["prover", "verifier"])
def test_logits_follow_the_numbering_of_the_nodes(agent_name: str, node_selector: str) -> None:
    context = make_context(agent_name, node_selector=node_selector)
    torch.manual_seed(0)
    body, head = GraphIsomorphismBody(context).eval(), GraphIsomorphismPolicyHead(context)
    observation = make_observation(context)
    order = torch.tensor([3, 0, 4, 2, 1])
    renumbered = renumber_nodes(observation, order)
    before = head(body(observation), observation)["message"].unflatten(-1, (2, 5))
    after = head(body(renumbered), renumbered)["message"].unflatten(-1, (2, 5))
    torch.testing.assert_close(after, before[..., order], atol=1e-9, rtol=1e-9)


def test_more_room_for_nodes_changes_no_probability() -> None:
    probabilities = []
    for num_extra in (0, 4):
        context = make_context("prover", num_nodes=5 + num_extra, node_selector="similarity")
        torch.manual_seed(0)
        body, head = GraphIsomorphismBody(context).eval(), GraphIsomorphismPolicyHead(context)
        observation = pad_nodes(make_observation(make_context("prover")), num_extra)
        logits = head(body(observation), observation)["message"]
        probabilities.append(logits.softmax(-1).unflatten(-1, (2, -1))[..., :5])
    torch.testing.assert_close(probabilities[0], probabilities[1], atol=1e-9, rtol=1e-9)


def test_both_positions_of_a_pair_prefer_nodes_that_correspond() -> None:
    pairs = {
        "interaction_protocol": "adp",
        "message_size": 4,
        "graph_isomorphism": {"mark_pairs": True},
    }
    context = make_context("prover", experiment=pairs)
    torch.manual_seed(0)
    body, head = GraphIsomorphismBody(context).eval(), GraphIsomorphismPolicyHead(context)
    observation = make_observation(context, sizes=(5,))
    order = torch.tensor([3, 0, 4, 2, 1])
    first = observation["adjacency"][:, 0]
    adjacency = torch.stack((first, first[:, order][:, :, order]), dim=1)
    observation |= {"adjacency": adjacency}
    logits = head(body(observation), observation)["message"].view(2, 2, 2, 5)
    in_first, in_second = logits[:, 0, 0], logits[:, 1, 1]
    torch.testing.assert_close(in_second, in_first[:, order], atol=1e-9, rtol=1e-9)
    # The two pairs prefer different nodes.
    assert (logits[0, 0, 0] - logits[1, 0, 0]).abs().max() > 1e-3


def test_the_initial_logits_of_nodes_are_scaled() -> None:
    logits = []
    for scale in (1.0, 8.0):
        context = make_context("verifier", initial_selector_scale=scale)
        torch.manual_seed(0)
        observation, representation = represent(context)
        torch.manual_seed(0)
        logits.append(GraphIsomorphismPolicyHead(context)(representation, observation))
    is_legal = legal_nodes(context, observation)
    message = [each["message"][is_legal] for each in logits]
    torch.testing.assert_close(message[1], 8 * message[0])
    assert torch.equal(logits[0]["decision"], logits[1]["decision"])


@pytest.mark.parametrize("include_round", [True, False])
def test_decision_and_value_see_the_round_if_they_should(include_round: bool) -> None:
    context = make_context(
        include_round_in_decider=include_round, include_round_in_value=include_round
    )
    observation, representation = represent(context)
    later = observation | {"round": observation["round"] + 1}
    policy, value = GraphIsomorphismPolicyHead(context), GraphIsomorphismValueHead(context)
    decisions = [policy(representation, each)["decision"] for each in (observation, later)]
    values = [value(representation, each) for each in (observation, later)]
    assert values[0].shape == (3,)
    assert torch.equal(*decisions) is not include_round
    assert torch.equal(*values) is not include_round


def test_the_solo_head_gives_a_logit_to_each_label_and_does_not_see_the_round() -> None:
    context = make_context(experiment={"interaction_protocol": "solo_verifier"})
    observation, representation = represent(context)
    head = GraphIsomorphismSoloHead(context)
    logits = head(representation, observation)
    assert logits.shape == (3, 2)
    later = observation | {"round": observation["round"] + 1}
    assert torch.equal(logits, head(representation, later))


def test_heads_have_the_depths_and_widths_of_their_parameters() -> None:
    context = make_context(
        d_node_selector=3, num_node_selector_layers=4, d_decider=6, num_decider_layers=1
    )
    head = GraphIsomorphismPolicyHead(context)
    assert head.decider is not None
    assert linear_widths(head.node_selector) == [(16, 3), (3, 3), (3, 3), (3, 1)]
    # Two vectors of width 16 and one of nine rounds: eight, and the one after the last.
    assert linear_widths(head.decider) == [(2 * 16 + 9, 6), (6, 3)]


def test_learning_reaches_every_weight() -> None:
    context = make_context(
        node_selector="similarity", experiment={"include_linear_message_space": True}
    )
    observation, representation = represent(context)
    policy, value = GraphIsomorphismPolicyHead(context), GraphIsomorphismValueHead(context)
    logits = policy(representation, observation)
    # Not a softmax, which is the same whatever the last bias adds to all logits.
    outputs = [*(each.sigmoid() for each in logits.values()), value(representation, observation)]
    sum(output.sum() for output in outputs).backward()
    for head in (policy, value):
        for name, weight in head.named_parameters():
            assert weight.grad is not None, name
            assert (weight.grad != 0).any(), name


def test_the_smallest_legal_network_works() -> None:
    params = GraphIsomorphismAgentParameters.construct_test_params()
    experiment = {"d_representation": 1, "include_linear_message_space": True}
    context = make_context(params=params, experiment=experiment)
    observation, representation = represent(context)
    logits = GraphIsomorphismPolicyHead(context)(representation, observation)
    assert logits["message"].shape == (3, 1, 1, 10)
    assert GraphIsomorphismValueHead(context)(representation, observation).shape == (3,)
    assert GraphIsomorphismSoloHead(context)(representation, observation).shape == (3, 2)


def linear_widths(module: nn.Module) -> list[tuple[int, int]]:
    """Return the widths of the linear layers inside a module, in order."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    return [(layer.in_features, layer.out_features) for layer in layers]
