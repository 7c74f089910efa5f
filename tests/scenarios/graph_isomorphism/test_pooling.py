"""Pooling sums nodes and compares the graphs of a pair as configured."""

from math import log
from typing import Literal

import pytest
import torch

from nip.native.kernels import native_kernels
from nip.scenarios.graph_isomorphism.pooling import PairPooling

NODES = torch.tensor([[[[1.0, 0.0], [2.0, 4.0]], [[1.0, 1.0], [0.0, 1.0]]]])
"""One pair of graphs of two nodes; the sums are (3, 4) and (1, 2)."""


def test_the_vector_of_a_graph_is_the_sum_of_its_nodes() -> None:
    pooling = PairPooling(2, use_batch_norm=False, use_pair_invariant_pooling=False)
    assert pooling(NODES).tolist() == [[[3, 4], [1, 2]]]


def test_a_pair_becomes_its_mean_and_half_its_absolute_difference() -> None:
    pooling = PairPooling(2, use_batch_norm=False)
    assert pooling(NODES).tolist() == [[[2, 3], [1, 1]]]
    assert torch.equal(pooling(NODES.flip(1)), pooling(NODES))


def test_the_logarithmic_scale_spreads_small_differences() -> None:
    pooling = PairPooling(1, use_batch_norm=False, pair_difference_scale="log")
    nodes = torch.tensor([[[[2.0]], [[2.0]]], [[[2.0]], [[2.002]]], [[[2.0]], [[4.0]]]])
    equal, close, far = pooling(nodes)[:, 1, 0].tolist()
    assert equal == pytest.approx(log(1e-4) / 5)
    assert close == pytest.approx(log(1.1e-3) / 5, abs=1e-3)
    assert far == pytest.approx(0, abs=1e-3)


def test_batch_norm_uses_the_batch_in_training_and_running_statistics_otherwise() -> None:
    pooling = PairPooling(2, use_batch_norm=True, use_pair_invariant_pooling=False)
    # The batch has the means (2, 3), the variances 1 and, without bias, 2: all as in NODES.
    in_training = pooling(NODES)
    torch.testing.assert_close(
        in_training, torch.tensor([[[1.0, 1.0], [-1.0, -1.0]]]), atol=1e-4, rtol=0
    )
    pooling.eval()
    # Running statistics after one batch: means 0.1 (2, 3), variances 0.9 + 0.1 * 2.
    expected = (torch.tensor([[[3.0, 4.0], [1.0, 2.0]]]) - torch.tensor([0.2, 0.3])) / 1.1**0.5
    torch.testing.assert_close(pooling(NODES), expected, atol=1e-4, rtol=0)


def test_both_graphs_of_a_pair_get_the_same_noise_and_other_pairs_another() -> None:
    pooling = PairPooling(
        1, use_batch_norm=False, noise_sigma=0.5, use_pair_invariant_pooling=False
    )
    nodes = torch.tensor([[[[1.0]], [[3.0]]], [[[1.0]], [[3.0]]]])
    torch.manual_seed(0)
    relative = pooling(nodes).squeeze(-1) / torch.tensor([1.0, 3.0]) - 1
    torch.testing.assert_close(relative[:, 0], relative[:, 1])
    assert relative[0, 0] != relative[1, 0]


def test_noise_has_the_given_size_and_only_training_has_noise() -> None:
    pooling = PairPooling(
        1, use_batch_norm=False, noise_sigma=0.5, use_pair_invariant_pooling=False
    )
    nodes = torch.full((20_000, 2, 1, 1), 2.0)
    torch.manual_seed(0)
    assert pooling(nodes)[:, 0].std().item() == pytest.approx(0.5 * 2, rel=0.03)
    assert torch.equal(pooling.eval()(nodes), nodes.squeeze(-1))


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("is_invariant", [True, False])
def test_tokens_are_the_pooled_vectors_and_the_nodes_with_or_without_kernels(
    is_invariant: bool, scale: Literal["linear", "log"]
) -> None:
    torch.manual_seed(0)
    nodes, extras = torch.randn(6, 2, 3, 4), [torch.randn(6, 8, 1), torch.randn(6, 8, 2)]

    def build() -> PairPooling:
        pooling = PairPooling(
            4,
            use_batch_norm=True,
            use_pair_invariant_pooling=is_invariant,
            pair_difference_scale=scale,
        )
        assert pooling.batch_norm is not None
        with torch.no_grad():
            pooling.batch_norm.weight.copy_(torch.tensor([1.0, -2.0, 0.5, 3.0]))
        return pooling

    found = []
    for is_native in (True, False):
        pooling, given = build(), nodes.clone().requires_grad_()
        with native_kernels(is_native):
            tokens = pooling.tokens(given, extras)
            tokens.square().sum().backward()
            evaluated = pooling.eval().tokens(nodes, extras)
        torch.testing.assert_close(tokens[:, :2, :4], build()(nodes))
        assert torch.equal(tokens[:, 2:, :4], nodes.flatten(1, 2))
        assert torch.equal(tokens[..., 4:], torch.cat(extras, dim=-1))
        gradients = [each.grad for each in (given, *pooling.parameters())]
        found.append([tokens, *gradients, *pooling.buffers(), evaluated])
    for native, plain in zip(*found, strict=True):
        torch.testing.assert_close(native, plain, rtol=1e-4, atol=1e-4)
