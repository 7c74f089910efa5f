"""Heads with compiled kernels compute what their layers compute."""

from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

from nip.native.kernels import native_kernels
from nip.native.library import unavailable_reason

SCENARIOS = {
    "graph_isomorphism": ("GraphIsomorphism", "num_node_selector_layers"),
    "image_classification": ("ImageClassification", "num_latent_pixel_selector_layers"),
}
"""Prefix of the classes, and the option with the layers of the head of messages."""


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("num_layers", [2, 3])
@pytest.mark.parametrize("include_round", [False, True])
def test_outputs_and_gradients_are_the_same(
    scenario: str, num_layers: int, include_round: bool
) -> None:
    if (reason := unavailable_reason()) is not None:
        pytest.skip(reason)
    prefix, layers_of_messages = SCENARIOS[scenario]
    parts = import_module(f"nip.scenarios.{scenario}.heads")
    body = getattr(import_module(f"nip.scenarios.{scenario}.body"), f"{prefix}Body")
    examples = import_module(f"tests.scenarios.{scenario}.observations")
    context = examples.make_context(
        **{layers_of_messages: num_layers},
        num_decider_layers=num_layers,
        num_value_layers=num_layers,
        include_round_in_decider=include_round,
        include_round_in_value=not include_round,
    )
    torch.manual_seed(0)
    observation = examples.make_observation(context)
    heads = [getattr(parts, f"{prefix}{kind}Head")(context) for kind in ("Policy", "Value", "Solo")]
    with torch.no_grad():
        representation = body(context).eval()(observation)
    found: list[list[Tensor]] = []
    for is_native in (True, False):
        nn.ModuleList(heads).zero_grad()
        given = {name: each.clone().requires_grad_() for name, each in representation.items()}
        with native_kernels(is_native):
            logits, *outputs = (head(given, observation) for head in heads)
            outputs += [logits["message"].tanh(), logits["decision"]]
            torch.stack([each.square().sum() for each in outputs]).sum().backward()
        gradients = [each.grad for each in (*given.values(), *nn.ModuleList(heads).parameters())]
        found.append([*outputs, *(each for each in gradients if each is not None)])
    for native, plain in zip(*found, strict=True):
        torch.testing.assert_close(native, plain, rtol=1e-4, atol=1e-5)
    # Otherwise PyTorch would be compared with itself.
    assert all(map(torch.equal, *found)) == (num_layers > 2)
