"""Heads with compiled kernels compute what their layers compute."""

import pytest
import torch
from torch import Tensor, nn

from nip.native.kernels import native_kernels
from nip.native.library import unavailable_reason
from nip.scenarios.graph_isomorphism.body import GraphIsomorphismBody
from nip.scenarios.graph_isomorphism.heads import (
    GraphIsomorphismPolicyHead,
    GraphIsomorphismSoloHead,
    GraphIsomorphismValueHead,
)
from tests.scenarios.graph_isomorphism.observations import make_context, make_observation


@pytest.mark.parametrize("num_layers", [2, 3])
@pytest.mark.parametrize("include_round", [False, True])
def test_outputs_and_gradients_are_the_same(num_layers: int, include_round: bool) -> None:
    if (reason := unavailable_reason()) is not None:
        pytest.skip(reason)
    context = make_context(
        num_node_selector_layers=num_layers,
        num_decider_layers=num_layers,
        num_value_layers=num_layers,
        include_round_in_decider=include_round,
        include_round_in_value=not include_round,
    )
    torch.manual_seed(0)
    observation = make_observation(context)
    policy = GraphIsomorphismPolicyHead(context)
    heads = policy, GraphIsomorphismValueHead(context), GraphIsomorphismSoloHead(context)
    with torch.no_grad():
        body = GraphIsomorphismBody(context).eval()(observation)
    found: list[list[Tensor]] = []
    for is_native in (True, False):
        nn.ModuleList(heads).zero_grad()
        given = {name: each.clone().requires_grad_() for name, each in body.items()}
        with native_kernels(is_native):
            logits, *outputs = (head(given, observation) for head in heads)
            outputs += [logits["message"].tanh(), logits["decision"]]
            torch.stack([each.square().sum() for each in outputs]).sum().backward()
        gradients = [each.grad for each in (*given.values(), *nn.ModuleList(heads).parameters())]
        found.append([*outputs, *(each for each in gradients if each is not None)])
    for native, plain in zip(*found, strict=True):
        torch.testing.assert_close(native, plain, rtol=1e-4, atol=1e-5)
    # Otherwise PyTorch would be compared with itself.
    assert torch.equal(*(each[0] for each in found)) == (num_layers > 2)
