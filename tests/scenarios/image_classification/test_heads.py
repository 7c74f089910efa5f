"""The heads compute logits and values of the right shapes from the representation."""

import pytest
import torch

from nip.scenarios.image_classification.body import ImageClassificationBody
from nip.scenarios.image_classification.heads import (
    ImageClassificationPolicyHead,
    ImageClassificationSoloHead,
    ImageClassificationValueHead,
)
from tests.scenarios.image_classification.observations import make_context, make_observation

EXPERIMENT = {"message_size": 2, "include_linear_message_space": True, "d_linear_message_space": 5}


def represented(context):
    observation = make_observation(context)
    return ImageClassificationBody(context)(observation), observation


@pytest.mark.parametrize("agent_name", ["prover", "verifier"])
def test_logits_have_their_shapes_and_only_a_verifier_decides(agent_name) -> None:
    context = make_context(agent_name, experiment=EXPERIMENT)
    logits = ImageClassificationPolicyHead(context)(*represented(context))
    assert logits["message"].shape == (3, 1, 2, 24)
    assert logits["linear_message"].shape == (3, 1, 2, 5)
    assert ("decision" in logits) == (agent_name == "verifier")
    if agent_name == "verifier":
        assert logits["decision"].shape == (3, 3)


def test_the_logit_of_a_latent_pixel_is_that_of_its_representation(float64) -> None:
    """Symbols count the latent pixels row by row, as the environment does."""
    context = make_context("prover", experiment=EXPERIMENT)
    head = ImageClassificationPolicyHead(context)
    representation, observation = represented(context)
    logits = head(representation, observation)["message"]
    row, column = 4, 3
    pixel = representation["latent_pixel_level_repr"][:, row, column]
    expected = head.latent_pixel_selector(pixel)
    torch.testing.assert_close(logits[:, 0, :, row * 4 + column], expected)


@pytest.mark.parametrize("include_round", [True, False])
def test_the_round_is_an_input_if_asked(include_round, float64) -> None:
    context = make_context(
        include_round_in_decider=include_round, include_round_in_value=include_round
    )
    representation, observation = represented(context)
    later = {**observation, "round": observation["round"] - 1 + 2 * (observation["round"] == 0)}
    policy, value = ImageClassificationPolicyHead(context), ImageClassificationValueHead(context)
    same_decision = torch.equal(
        policy(representation, observation)["decision"], policy(representation, later)["decision"]
    )
    same_value = torch.equal(value(representation, observation), value(representation, later))
    assert same_decision == same_value == (not include_round)
    assert value(representation, observation).shape == (3,)


def test_the_solo_head_gives_two_logits() -> None:
    context = make_context()
    assert ImageClassificationSoloHead(context)(*represented(context)).shape == (3, 2)
