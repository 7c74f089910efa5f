"""The similarity selector prefers the twin of the marked node, whatever the scale."""

import torch
from torch import Tensor

from nip.scenarios.graph_isomorphism.similarity import NodeSimilarity, relative_distances

STRUCTURE = torch.tensor([[[[0.0], [2.0], [0.0]], [[2.0], [4.0], [0.0]]]])
"""Nodes of two graphs, two nodes each and one of padding; mean 2, variance 2."""

NODE_MASK = torch.tensor([[[True, True, False], [True, True, False]]])


def mark(symbol: int | None) -> dict[str, Tensor]:
    """Return an observation in which one node is marked, or none."""
    message = torch.zeros(6)
    if symbol is not None:
        message[symbol] = 1
    return {"message": message.view(1, 1, 1, 2, 3), "node_mask": NODE_MASK}


def test_distances_are_squares_relative_to_the_spread_of_all_nodes() -> None:
    marks = mark(1)["message"].flatten(-2) > 0
    distances = relative_distances(STRUCTURE, marks, NODE_MASK).flatten()
    torch.testing.assert_close(distances[[0, 1, 3, 4]], torch.tensor([2.0, 0.0, 0.0, 2.0]))


def test_distances_do_not_depend_on_scale_or_origin() -> None:
    marks = mark(1)["message"].flatten(-2) > 0
    distances = relative_distances(STRUCTURE, marks, NODE_MASK)
    elsewhere = (STRUCTURE * 30 + 100) * NODE_MASK.unsqueeze(-1)
    moved = relative_distances(elsewhere, marks, NODE_MASK)
    torch.testing.assert_close(moved[..., [0, 1, 3, 4]], distances[..., [0, 1, 3, 4]])


def test_the_twin_of_the_marked_node_gains_most() -> None:
    logits = torch.zeros(1, 1, 1, 6)
    gains = NodeSimilarity()(logits, STRUCTURE, mark(1)).flatten()
    assert gains[[3, 4]].argmax() == 0
    gains = NodeSimilarity()(logits, STRUCTURE, mark(4)).flatten()
    assert gains[[0, 1]].argmax() == 1


def test_without_a_mark_nothing_is_added() -> None:
    logits = torch.arange(6.0).view(1, 1, 1, 6)
    assert torch.equal(NodeSimilarity()(logits, STRUCTURE, mark(None)), logits)


def test_nodes_that_are_all_alike_gain_alike() -> None:
    logits = torch.zeros(1, 1, 1, 6)
    gains = NodeSimilarity()(logits, torch.zeros(1, 2, 3, 4), mark(1)).flatten()
    assert (gains == gains[0]).all()
    assert gains.isfinite().all()


def test_channels_are_compared_with_their_own_marks() -> None:
    message = torch.cat((mark(1)["message"], mark(4)["message"]), dim=1)
    observation = {"message": message, "node_mask": NODE_MASK}
    gains = NodeSimilarity()(torch.zeros(1, 2, 1, 6), STRUCTURE, observation)
    torch.testing.assert_close(gains[0, 0, 0, 3] - gains[0, 0, 0, 4], expected_gap(0.0, 2.0))
    torch.testing.assert_close(gains[0, 1, 0, 1] - gains[0, 1, 0, 0], expected_gap(2.0, 8.0))


def expected_gap(near: float, far: float) -> Tensor:
    """Return how much more a nearer node gains, by the definition of closeness."""
    scale = NodeSimilarity().log_scale.detach().exp()
    return scale * torch.log(torch.tensor((far + 1e-4) / (near + 1e-4)))
