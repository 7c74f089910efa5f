"""Heads with compiled kernels compute what their layers compute."""

import pytest
import torch

from nip.native.library import unavailable_reason
from nip.scenarios.image_classification.body import ImageClassificationBody
from nip.scenarios.image_classification.heads import (
    ImageClassificationPolicyHead,
    ImageClassificationSoloHead,
    ImageClassificationValueHead,
)
from tests.scenarios.head_kernels import check_heads
from tests.scenarios.image_classification.observations import make_context, make_observation


@pytest.mark.parametrize("num_layers", [2, 3])
@pytest.mark.parametrize("include_round", [False, True])
def test_outputs_and_gradients_are_the_same(num_layers: int, include_round: bool) -> None:
    if (reason := unavailable_reason()) is not None:
        pytest.skip(reason)
    context = make_context(
        num_latent_pixel_selector_layers=num_layers,
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
            ImageClassificationPolicyHead,
            ImageClassificationValueHead,
            ImageClassificationSoloHead,
        )
    ]
    with torch.no_grad():
        representation = ImageClassificationBody(context).eval()(observation)
    check_heads(heads, representation, observation, has_kernel=num_layers == 2)
