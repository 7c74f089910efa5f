"""A graph network of K layers tells exactly those graphs apart that K rounds of refinement do.

Nothing is trained. The networks have random weights and, above all, random biases: nodes without
marks have features of zero, and with zero biases nothing would ever come of them. In double
precision isomorphic graphs differ by 1e-14 at most and separable ones by 1e-9 at least.
"""

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nip.scenarios.graph_isomorphism.body import GraphIsomorphismBody
from nip.scenarios.graph_isomorphism.generation import generate_pairs
from nip.scenarios.graph_isomorphism.pair_files import PairArrays, read_split
from tests.scenarios.graph_isomorphism.observations import make_context

NUM_LAYERS = range(1, 6)
PUBLIC_DATA = Path(__file__).parents[4] / "shared" / "data" / "graph_isomorphism" / "er1000"
PUBLIC_ACCURACIES = [0.540, 0.640, 0.992, 1.0, 1.0]
"""Shares of pairs of er1000 which are isomorphic (500) or score at most K (40, 100, 352, 8)."""


@cache
def generated_pairs() -> PairArrays:
    """Return pairs of the published mix."""
    return generate_pairs(1000, "test", seed=0)


@cache
def public_pairs() -> PairArrays:
    """Return the pairs of the public file."""
    return read_split(PUBLIC_DATA, "train")


def pooled_differences(pairs: PairArrays, num_layers: int, seed: int) -> Tensor:
    """Return the mean difference that an untrained body sees between the graphs of each pair."""
    num_nodes = pairs.adjacency.shape[-1]
    context = make_context(
        num_nodes=num_nodes, num_gnn_layers=num_layers, use_dual_gnn=False, use_batch_norm=False
    )
    torch.manual_seed(seed)
    body = GraphIsomorphismBody(context).double()
    sizes = torch.from_numpy(pairs.sizes).unsqueeze(-1)
    observation = {
        "x": torch.zeros(len(pairs), context.num_rounds, 1, 1, 2, num_nodes).double(),
        "adjacency": torch.from_numpy(pairs.adjacency).int(),
        "node_mask": torch.arange(num_nodes) < sizes,
    }
    with torch.no_grad():
        return body.pooling(body.encode_nodes(observation))[:, 1].mean(dim=-1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_layers", NUM_LAYERS)
def test_generated_pairs_are_separated_exactly_up_to_their_score(
    num_layers: int, seed: int
) -> None:
    pairs = generated_pairs()
    scores = torch.from_numpy(pairs.wl_scores)
    differences = pooled_differences(pairs, num_layers, seed)
    is_separable = (scores > 0) & (scores <= num_layers)
    assert torch.equal(differences > 1e-9, is_separable)
    assert differences[~is_separable].max() < 1e-11


def test_the_mix_of_generated_scores_bounds_what_one_agent_can_do_alone() -> None:
    # 500 isomorphic pairs, and of 500 others a tenth that score 1 and a fifth that score 2.
    assert accuracy(generated_pairs(), 1) == pytest.approx(0.55)
    assert accuracy(generated_pairs(), 2) == pytest.approx(0.65)
    assert accuracy(generated_pairs(), 5) == 1


@pytest.mark.skipif(not PUBLIC_DATA.exists(), reason=f"needs the public data in {PUBLIC_DATA}")
@pytest.mark.parametrize(
    ("num_layers", "expected"), list(zip(NUM_LAYERS, PUBLIC_ACCURACIES, strict=True))
)
def test_the_published_ceilings_hold(num_layers: int, expected: float) -> None:
    assert accuracy(public_pairs(), num_layers) == pytest.approx(expected)


def accuracy(pairs: PairArrays, num_layers: int) -> float:
    """Return the accuracy of the rule "isomorphic if no difference can be seen"."""
    looks_isomorphic = pooled_differences(pairs, num_layers, seed=0) < 1e-9
    is_isomorphic = torch.from_numpy(pairs.wl_scores) == -1
    return (looks_isomorphic == is_isomorphic).double().mean().item()
