"""Heads with compiled kernels compute what their layers compute."""

import pytest
import torch

from nip.native.library import unavailable_reason
from nip.scenarios.graph_isomorphism.body import GraphIsomorphismBody
from nip.scenarios.graph_isomorphism.heads import (
    GraphIsomorphismPolicyHead,
    GraphIsomorphismSoloHead,
    GraphIsomorphismValueHead,
)
from tests.scenarios.graph_isomorphism.observations import make_context, make_observation
from tests.scenarios.head_kernels import check_heads


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
    heads = [
        head(context)
        for head in (
            GraphIsomorphismPolicyHead,
            GraphIsomorphismValueHead,
            GraphIsomorphismSoloHead,
        )
    ]
    with torch.no_grad():
        representation = GraphIsomorphismBody(context).eval()(observation)
    check_heads(heads, representation, observation, has_kernel=num_layers == 2)
