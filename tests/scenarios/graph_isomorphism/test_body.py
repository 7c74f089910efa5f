"""The body depends on graphs and marks, but not on node numbering or padding."""

from typing import Any

import pytest
import torch
from torch import Tensor

from nip.parameters import GraphIsomorphismAgentParameters
from nip.scenarios.graph_isomorphism.body import GraphIsomorphismBody, make_attention_mask
from tests.scenarios.graph_isomorphism.observations import (
    make_context,
    make_observation,
    pad_nodes,
    renumber_nodes,
    swap_graphs,
)

pytestmark = pytest.mark.usefixtures("float64")

VARIANTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("prover", {}, {}),
    ("verifier", {"message_size": 3}, {"use_dual_gnn": False}),
    ("verifier", {"interaction_protocol": "debate"}, {"num_transformer_layers": 0}),
    ("prover1", {"interaction_protocol": "mnip", "message_size": 2}, {"use_batch_norm": False}),
    ("verifier", {"interaction_protocol": "debate"}, {"tie_message_rounds": True}),
    ("verifier", {"message_size": 2}, {"tie_message_rounds": "exchange"}),
    ("prover", {}, {"tie_message_rounds": "exchange", "dual_gnn_marks": "earlier"}),
    ("verifier", {"interaction_protocol": "debate"}, {"mark_streams": "channel"}),
    ("prover0", {"interaction_protocol": "debate"}, {"mark_streams": "exchange"}),
    ("verifier", {"message_size": 4, "graph_isomorphism": {"mark_pairs": True}}, {}),
    ("verifier", {}, {"pair_difference_scale": "log", "activation_function": "relu"}),
    ("prover", {"interaction_protocol": "adp"}, {"use_pair_invariant_pooling": False}),
    ("verifier", {"include_linear_message_space": True, "message_size": 2}, {}),
    ("verifier", {"interaction_protocol": "solo_verifier"}, {"gnn_output_digits": 6}),
    ("verifier", {"d_representation": 7}, {"d_gnn": 6, "d_transformer": 12, "num_heads": 3}),
]


def make_body(agent_name: str = "verifier", **kwargs: Any) -> GraphIsomorphismBody:
    """Return a body in evaluation mode, with the same weights for the same arguments."""
    torch.manual_seed(0)
    return GraphIsomorphismBody(make_context(agent_name, **kwargs)).eval()


@pytest.mark.parametrize(("agent_name", "experiment", "agent"), VARIANTS)
def test_representations_have_the_promised_shapes(
    agent_name: str, experiment: dict[str, Any], agent: dict[str, Any]
) -> None:
    body = make_body(agent_name, experiment=experiment, **agent)
    representation = body(make_observation(body.context))
    shapes = {name: tuple(value.shape) for name, value in representation.items()}
    d_representation = experiment.get("d_representation", 16)
    expected = {
        "graph_level_repr": (3, 2, d_representation),
        "node_level_repr": (3, 2, 5, d_representation),
    }
    if agent.get("use_dual_gnn", True):
        expected["structural_node_repr"] = (3, 2, 5, agent.get("d_gnn", 16))
    assert shapes == expected
    assert all(value.isfinite().all() for value in representation.values())


@pytest.mark.parametrize(("agent_name", "experiment", "agent"), VARIANTS)
def test_numbering_the_nodes_differently_numbers_their_representations_differently(
    agent_name: str, experiment: dict[str, Any], agent: dict[str, Any]
) -> None:
    body = make_body(agent_name, experiment=experiment, **agent)
    observation = make_observation(body.context)
    order = torch.tensor([3, 0, 4, 2, 1])
    before, after = body(observation), body(renumber_nodes(observation, order))
    assert_close(after["graph_level_repr"], before["graph_level_repr"])
    assert_close(after["node_level_repr"], before["node_level_repr"][:, :, order])


@pytest.mark.parametrize(("agent_name", "experiment", "agent"), VARIANTS)
def test_padding_does_not_count(
    agent_name: str, experiment: dict[str, Any], agent: dict[str, Any]
) -> None:
    context = make_context(agent_name, experiment=experiment, **agent)
    body = make_body(agent_name, experiment=experiment, **agent)
    wide = make_body(agent_name, experiment=experiment, num_nodes=9, **agent)
    observation = make_observation(context)
    before, after = body(observation), wide(pad_nodes(observation, 4))
    is_node = observation["node_mask"]
    assert_close(after["graph_level_repr"], before["graph_level_repr"])
    assert_close(after["node_level_repr"][:, :, :5][is_node], before["node_level_repr"][is_node])


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_pair_invariant_pooling_does_not_tell_the_graphs_apart(scale: str) -> None:
    body = make_body(pair_difference_scale=scale)
    observation = make_observation(body.context)
    before, after = body(observation), body(swap_graphs(observation))
    assert_close(after["graph_level_repr"], before["graph_level_repr"])
    assert_close(after["node_level_repr"], before["node_level_repr"].flip(1))


def test_without_it_the_pooled_graphs_keep_their_places() -> None:
    body = make_body(use_pair_invariant_pooling=False)
    observation = make_observation(body.context)
    before, after = body(observation), body(swap_graphs(observation))
    difference = (after["graph_level_repr"] - before["graph_level_repr"]).abs().amax(dim=(1, 2))
    assert (difference > 1e-4).all()


def test_tied_rounds_do_not_tell_when_a_mark_was_made() -> None:
    tied, untied = make_body(tie_message_rounds=True), make_body()
    observation = make_observation(tied.context)
    # Only x is moved in time: the last message is a separate input.
    later = observation | {"x": observation["x"].roll(1, dims=1)}
    assert_close(tied(later)["graph_level_repr"], tied(observation)["graph_level_repr"])
    difference = untied(later)["graph_level_repr"] - untied(observation)["graph_level_repr"]
    assert (difference[1:].abs().amax(dim=(1, 2)) > 1e-4).all()


def test_tied_rounds_keep_channels_and_positions_apart() -> None:
    experiment = {"interaction_protocol": "debate", "message_size": 3}
    body = make_body(experiment=experiment, tie_message_rounds=True)
    assert body.gnn.input_layer.in_features == 2 * 3
    assert make_body(experiment=experiment).gnn.input_layer.in_features == 8 * 2 * 3


def test_a_question_and_its_answer_share_weights_and_two_questions_do_not() -> None:
    body = make_body(tie_message_rounds="exchange")
    assert body.gnn.input_layer.in_features == 4
    observation = make_observation(body.context)
    x = observation["x"]
    before = body(observation)["graph_level_repr"]
    # Rounds 0 and 1 are an exchange, as are 2 and 3.
    within = body(observation | {"x": x[:, [1, 0, 3, 2, 5, 4, 7, 6]]})["graph_level_repr"]
    between = body(observation | {"x": x[:, [2, 3, 0, 1, 4, 5, 6, 7]]})["graph_level_repr"]
    assert_close(within, before)
    assert ((between - before)[1:].abs().amax(dim=(1, 2)) > 1e-6).all()


def test_the_marks_of_a_pair_have_one_colour_and_two_pairs_have_two() -> None:
    pairs = {"message_size": 4, "graph_isomorphism": {"mark_pairs": True}}
    body = make_body(experiment=pairs, tie_message_rounds=True)
    assert body.gnn.input_layer.in_features == 2
    observation = make_observation(body.context)
    before = body(observation)

    def change(order: list[int]) -> Tensor:
        moved = {key: observation[key][..., order, :, :] for key in ("x", "message")}
        after = body(observation | moved)
        return (after["graph_level_repr"] - before["graph_level_repr"])[1:].abs().amax(dim=(1, 2))

    assert (change([1, 0, 3, 2]) < 1e-12).all()
    assert (change([2, 3, 0, 1]) > 1e-6).all()


@pytest.mark.parametrize(("streams", "num_streams"), [("channel", 2), ("exchange", 4)])
def test_a_mark_is_seen_by_the_stream_of_its_channel_or_exchange_only(
    streams: str, num_streams: int
) -> None:
    experiment = {"interaction_protocol": "debate", "debate_protocol": {"max_message_rounds": 5}}
    body = make_body(experiment=experiment, mark_streams=streams)
    observation = make_observation(body.context)
    assert body.gnn.num_streams == num_streams + 1
    before = body.encode_nodes(observation)
    # Round 2 belongs to the second exchange.
    x = observation["x"].clone()
    x[:, 2, 1] *= 2
    difference = (body.encode_nodes(observation | {"x": x}) - before)[1:].abs().amax(dim=(1, 2))
    changed = (difference.unflatten(-1, (num_streams + 1, -1)).amax(-1) > 1e-6).tolist()
    expected = [index == num_streams - 1 for index in range(num_streams + 1)]
    assert changed == [expected, expected]


def test_one_stream_is_the_network_on_the_marks_of_its_channel_alone() -> None:
    experiment = {"interaction_protocol": "debate"}
    joint = make_body(experiment=experiment)
    separate = make_body(experiment=experiment, mark_streams="channel")
    separate.gnn.load_state_dict(joint.gnn.state_dict())
    observation = make_observation(joint.context)
    nodes = separate.encode_nodes(observation)
    for channel in (0, 1):
        x = torch.zeros_like(observation["x"])
        x[:, :, channel] = observation["x"][:, :, channel]
        alone = joint.encode_nodes(observation | {"x": x})[..., :16]
        assert_close(nodes[..., 16 * channel : 16 * (channel + 1)], alone)


def test_the_second_stream_sees_the_marks_of_earlier_exchanges_only() -> None:
    body = make_body("prover", dual_gnn_marks="earlier", tie_message_rounds="exchange")
    observation = make_observation(body.context) | {"round": torch.tensor([0, 3, 3])}
    before = body(observation)["structural_node_repr"]
    change = {}
    for round_index in range(4):
        x = observation["x"].clone()
        x[:, round_index] *= 2
        after = body(observation | {"x": x})["structural_node_repr"]
        change[round_index] = ((after - before).abs().amax(dim=(1, 2, 3)) > 1e-6).tolist()
    sees, sees_not = [False, True, True], [False, False, False]
    assert change == {0: sees, 1: sees, 2: sees_not, 3: sees_not}


def test_the_structure_of_a_node_does_not_depend_on_marks() -> None:
    body = make_body()
    observation = make_observation(body.context)
    blank = observation | {key: 0 * observation[key] for key in ("x", "message")}
    with_marks, without = body(observation), body(blank)
    assert torch.equal(with_marks["structural_node_repr"], without["structural_node_repr"])
    assert not torch.allclose(with_marks["node_level_repr"], without["node_level_repr"])


def test_in_round_0_the_last_message_is_ignored() -> None:
    body = make_body()
    observation = make_observation(body.context)
    other = observation | {"message": observation["message"] + 1}
    difference = (body(other)["node_level_repr"] - body(observation)["node_level_repr"]).abs()
    assert (difference.amax(dim=(1, 2, 3)) > 1e-4).tolist() == [False, True, True]


def test_every_token_sees_the_linear_history() -> None:
    body = make_body(experiment={"include_linear_message_space": True}, num_transformer_layers=0)
    observation = make_observation(body.context)
    history = observation["linear_message_history"]
    other = body(observation | {"linear_message_history": history + 1})
    before = body(observation)
    change = (other["node_level_repr"] - before["node_level_repr"]).abs().amax(-1)
    assert torch.equal(change > 1e-4, observation["node_mask"])
    assert ((other["graph_level_repr"] - before["graph_level_repr"]).abs().amax(-1) > 1e-4).all()


def test_the_attention_mask_of_two_graphs_of_two_nodes() -> None:
    may_attend = (make_attention_mask(2) == 0).int().tolist()
    assert may_attend == [
        # pooled 0, pooled 1, two nodes of graph 0, two nodes of graph 1
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 0, 1, 1],
        [1, 1, 0, 1, 1, 1],
        [1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0, 1],
    ]


def test_learning_reaches_every_weight() -> None:
    body = make_body(use_batch_norm=False).train()
    representation = body(make_observation(body.context))
    torch.manual_seed(1)
    loss = sum((value * torch.randn_like(value)).sum() for value in representation.values())
    loss.backward()
    without = [name for name, weight in body.named_parameters() if not has_gradient(weight)]
    assert without == []


def test_rounding_the_graph_network_does_not_stop_it_from_learning() -> None:
    body = make_body(gnn_output_digits=2)
    observation = make_observation(body.context)
    nodes = body.encode_nodes(observation)
    assert_close(nodes, (nodes * 100).round() / 100)
    exact = make_body().encode_nodes(observation)
    assert (exact - nodes).abs().max() <= 0.005 + 1e-6
    body(observation)["graph_level_repr"].square().sum().backward()
    assert has_gradient(body.gnn.mlps[0][0].weight)


def test_the_graph_network_is_the_part_with_its_own_learning_rate() -> None:
    body = make_body()
    assert set(body.sub_parts) == {"gnn"}
    names = {name.split(".")[0] for name, _ in body.sub_parts["gnn"].named_parameters()}
    assert names == {"input_layer", "mlps"}


def test_by_default_matrices_start_orthogonal_and_biases_zero() -> None:
    body = make_body(use_orthogonal_initialisation=True, orthogonal_initialisation_gain=0.5)
    weight = body.gnn.mlps[0][0].weight
    assert_close(weight.T @ weight, 0.25 * torch.eye(16))
    assert (body.token_layer.bias == 0).all()


def test_the_smallest_legal_network_works() -> None:
    params = GraphIsomorphismAgentParameters.construct_test_params()
    experiment = {"d_representation": 1, "include_linear_message_space": True}
    body = make_body(params=params, experiment=experiment)
    representation = body(make_observation(body.context))
    assert representation["node_level_repr"].shape == (3, 2, 5, 1)


def test_a_batch_without_any_pairs_does_no_harm() -> None:
    body = make_body().train()
    observation = make_observation(body.context)
    nothing = body({name: value[:0] for name, value in observation.items()})
    assert nothing["node_level_repr"].shape == (0, 2, 5, 16)
    assert all(buffer.isfinite().all() for buffer in body.pooling.buffers())


def has_gradient(weight: Tensor) -> bool:
    """Return whether anything but zeros has arrived at a weight."""
    return weight.grad is not None and bool((weight.grad != 0).any())


def assert_close(first: Tensor, second: Tensor) -> None:
    """Compare up to the rounding errors of sums in different orders."""
    torch.testing.assert_close(first, second, atol=1e-9, rtol=1e-9)
