"""The graph isomorphism network computes what its equation says, whatever the padding."""

import pytest
import torch
from torch import Tensor

from nip.scenario_base.networks import initialise_orthogonally
from nip.scenarios.graph_isomorphism.gin import Gin

pytestmark = pytest.mark.usefixtures("float64")

PATH = torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
TRIANGLE = 1 - torch.eye(3).int()


def make_pair(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return adjacency and node mask of a batch of one pair without padding."""
    adjacency = torch.stack((first, second)).unsqueeze(0).int()
    return adjacency, torch.ones(1, 2, len(first), dtype=torch.bool)


def make_identity_gin(num_layers: int) -> Gin:
    """Return a network of width 1 whose perceptrons and input layer change nothing positive."""
    gin = Gin(1, 1, 1, num_layers=num_layers, activation="relu")
    for name, parameter in gin.named_parameters():
        parameter.data.fill_(0.0 if name.endswith("bias") else 1.0)
    return gin


@pytest.mark.parametrize(
    ("num_layers", "on_path", "on_triangle"),
    [(1, [1, 1, 0], [1, 1, 1]), (2, [2, 2, 1], [3, 3, 3]), (3, [4, 5, 3], [9, 9, 9])],
)
def test_a_layer_adds_a_node_and_its_neighbours(
    num_layers: int, on_path: list[int], on_triangle: list[int]
) -> None:
    adjacency, node_mask = make_pair(PATH, TRIANGLE)
    mark_on_first = torch.tensor([1.0, 0.0, 0.0]).expand(1, 2, 3).unsqueeze(-1)
    nodes = make_identity_gin(num_layers)(mark_on_first, adjacency, node_mask).squeeze(-1)
    assert nodes.tolist() == [[on_path, on_triangle]]


def test_eps_is_added_to_the_weight_of_the_node_itself() -> None:
    adjacency, node_mask = make_pair(PATH, TRIANGLE)
    gin = make_identity_gin(1)
    gin.eps.fill_(2.0)
    mark_on_first = torch.tensor([1.0, 0.0, 0.0]).expand(1, 2, 3).unsqueeze(-1)
    nodes = gin(mark_on_first, adjacency, node_mask).squeeze(-1)
    assert nodes.tolist() == [[[3, 1, 0], [3, 1, 1]]]


def test_adjacent_nodes_with_the_same_neighbours_differ_by_a_mark_only_with_eps() -> None:
    adjacency, node_mask = make_pair(TRIANGLE, TRIANGLE)
    mark_on_first = torch.tensor([1.0, 0.0, 0.0]).expand(1, 2, 3).unsqueeze(-1)
    torch.manual_seed(0)
    differences = []
    for eps in (0.0, 0.25):
        gin = Gin(1, 4, 8, num_layers=3, activation="tanh", eps=eps)
        first, second = gin(mark_on_first, adjacency, node_mask)[0, 0, :2]
        differences.append((first - second).abs().max().item())
    assert differences[0] == pytest.approx(0, abs=1e-12)
    assert differences[1] > 1e-6


def test_stored_weights_do_not_replace_eps() -> None:
    gin, other = (Gin(1, 4, 8, num_layers=1, activation="tanh", eps=eps) for eps in (0.5, 0.25))
    gin.load_state_dict(other.state_dict())
    assert gin.eps == 0.5
    assert torch.equal(gin.input_layer.weight, other.input_layer.weight)


def test_the_adjacency_matrix_of_the_caller_stays_as_it_is() -> None:
    adjacency, node_mask = make_pair(PATH, TRIANGLE)
    adjacency = adjacency.float()
    make_identity_gin(1)(torch.ones(1, 2, 3, 1), adjacency, node_mask)
    assert torch.equal(adjacency, make_pair(PATH, TRIANGLE)[0].float())


def test_nodes_which_are_padding_get_zeros() -> None:
    adjacency = torch.zeros(1, 2, 4, 4, dtype=torch.int32)
    adjacency[:, :, :3, :3] = make_pair(PATH, TRIANGLE)[0]
    node_mask = torch.tensor([True, True, True, False]).expand(1, 2, 4)
    gin = Gin(1, 4, 8, num_layers=2, activation="sigmoid", num_streams=2)
    nodes = gin(torch.ones(1, 2, 4, 1), adjacency, node_mask)
    assert (nodes[:, :, 3] == 0).all()
    without_padding = gin(torch.ones(1, 2, 3, 1), *make_pair(PATH, TRIANGLE))
    torch.testing.assert_close(nodes[:, :, :3], without_padding)


def test_the_second_stream_is_the_network_on_features_of_zero() -> None:
    adjacency, node_mask = make_pair(PATH, TRIANGLE)
    torch.manual_seed(0)
    gin = Gin(2, 4, 8, num_layers=3, activation="tanh", num_streams=2)
    features = torch.randn(1, 2, 3, 2)
    nodes = gin(features, adjacency, node_mask)
    gin.num_streams = 1
    torch.testing.assert_close(nodes[..., :4], gin(features, adjacency, node_mask))
    bare = gin(torch.zeros(1, 2, 3, 2), adjacency, node_mask)
    torch.testing.assert_close(nodes[..., 4:], bare)


def test_the_second_stream_is_silent_until_biases_are_learnt() -> None:
    gin = Gin(2, 4, 8, num_layers=3, activation="tanh", num_streams=2)
    initialise_orthogonally(gin)
    nodes = gin(torch.ones(1, 2, 3, 2), *make_pair(PATH, TRIANGLE))
    assert (nodes[..., 4:] == 0).all()
    assert (nodes[..., :4] != 0).any()
    nodes.sum().backward()
    last_bias = gin.mlps[-1][-1].bias
    assert last_bias.grad is not None
    assert (last_bias.grad != 0).all()
