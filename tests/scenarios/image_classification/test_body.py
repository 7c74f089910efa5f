"""The body sees the image, the messages and the features that its parameters let it see."""

import pytest
import torch

from nip.scenarios.image_classification.body import ImageClassificationBody
from tests.scenarios.image_classification.observations import SHAPE, make_context, make_observation

EMBEDDING = "pretrained_embeddings/some"


def outputs(body, observation) -> torch.Tensor:
    return torch.cat([value.flatten() for value in body(observation).values()])


def changed(observation, key, index, amount=0.5):
    """Return the observation with one entry moved."""
    value = observation[key].clone()
    value[index] += amount
    return {**observation, key: value}


def sensitivity(body, observation, key) -> torch.Tensor:
    """Return how much the outputs move with each entry of an observation."""
    value = observation[key].clone().requires_grad_()
    outputs(body, {**observation, key: value}).square().sum().backward()
    return value.grad.abs()


@pytest.mark.parametrize(
    ("experiment", "agent"),
    [
        ({}, {}),
        ({"message_size": 2, "include_linear_message_space": True}, {}),
        ({}, {"building_block_type": "residual_basic", "stride": 2, "kernel_size": 2}),
        ({}, {"image_pooling": "max", "glimpse_radius": 1}),
        ({}, {"pretrained_embeddings_model": "some", "pretrained_embedding_channels": 2}),
    ],
)
def test_representations_have_their_shapes(experiment, agent) -> None:
    context = make_context(experiment=experiment, **agent)
    representation = ImageClassificationBody(context)(make_observation(context))
    assert representation["image_level_repr"].shape == (3, context.d_representation)
    assert representation["latent_pixel_level_repr"].shape == (3, 6, 4, context.d_representation)


@pytest.mark.parametrize("num_groups", [1, 2, 3])
def test_the_widths_double_and_the_sizes_halve_with_each_group(num_groups) -> None:
    grid = (SHAPE[1] >> num_groups, SHAPE[2] >> num_groups)
    options = {"num_block_groups": num_groups, "initial_num_channels": 3}
    context = make_context(grid=grid, experiment={"image_classification": options})
    body = ImageClassificationBody(context)
    # 3 * 2^groups channels, and one plane of the last message.
    assert body.pixel_layer.in_features == 3 * 2**num_groups + 1
    representation = body(make_observation(context))
    assert representation["latent_pixel_level_repr"].shape[1:3] == grid


def test_every_part_of_the_observation_is_read(float64) -> None:
    context = make_context(
        experiment={"include_linear_message_space": True, "message_size": 2},
        pretrained_embeddings_model="some",
    )
    body, observation = ImageClassificationBody(context), make_observation(context)
    for key in ("image", EMBEDDING, "x", "linear_message_history"):
        assert (sensitivity(body, observation, key) > 0).any()
    # An empty message is not read in round 0, where normalisation moves it away from 0.
    of_message = sensitivity(body, observation, "message")
    assert (of_message[0] == 0).all() and (of_message[1:] > 0).all()


@pytest.mark.parametrize("radius", [0, 1])
def test_a_glimpse_shows_exactly_the_named_pixels_and_their_neighbours(radius, float64) -> None:
    context = make_context(
        glimpse_radius=radius, pretrained_embeddings_model="some", stride=1, num_blocks_per_group=1
    )
    body = ImageClassificationBody(context)
    observation = make_observation(context, batch=1)
    for history in (observation["message_history"], observation["x"]):
        history[0, 0, 0, 0, 2, 1] = 1
    seen = sensitivity(body, observation, "image")[0].sum(0) > 0
    expected = torch.zeros(12, 8, dtype=torch.bool)
    # A latent pixel is 2x2 pixels of the image.
    expected[4 - 2 * radius : 6 + 2 * radius, 2 - 2 * radius : 4 + 2 * radius] = True
    # Where the maximum of a pooling is elsewhere, a visible pixel moves nothing.
    assert not (seen & ~expected).any()
    assert seen.any()
    hidden = changed(observation, "image", (0, 0, 11, 7))
    assert torch.equal(outputs(body, hidden), outputs(body, observation))
    # The features cover the image with 3x2 cells of 4x4 pixels; the last is far from the named one.
    far = changed(observation, EMBEDDING, (0, 0, 2, 1))
    assert torch.equal(outputs(body, far), outputs(body, observation))


def test_without_a_message_a_glimpse_shows_nothing(float64) -> None:
    context = make_context(glimpse_radius=0)
    body, observation = ImageClassificationBody(context), make_observation(context, batch=1)
    assert (sensitivity(body, observation, "image") == 0).all()


@pytest.mark.parametrize("glimpse_radius", [None, 0])
def test_what_is_not_named_is_visible_only_without_glimpses(glimpse_radius, float64) -> None:
    context = make_context(glimpse_radius=glimpse_radius)
    body, observation = ImageClassificationBody(context), make_observation(context)
    seen = sensitivity(body, observation, "image")[0]
    assert bool((seen > 0).any()) == (glimpse_radius is None)


@pytest.mark.parametrize("include", [True, False])
def test_coordinates_tell_equal_places_apart(include, float64) -> None:
    context = make_context(include_coordinates=include, kernel_size=1)
    body, observation = ImageClassificationBody(context), make_observation(context, batch=1)
    observation["image"] = torch.zeros_like(observation["image"])
    pixels = body(observation)["latent_pixel_level_repr"].flatten(0, 2)
    assert (pixels.std(0).max() > 1e-6) == include
    rows, columns = body.coordinates
    assert rows[:, 0].tolist() == pytest.approx([-1 + 2 * row / 11 for row in range(12)])
    assert columns[0].tolist() == pytest.approx([-1 + 2 * column / 7 for column in range(8)])


def test_named_latent_pixels_can_represent_the_image(float64) -> None:
    context = make_context(image_pooling="named")
    body, observation = ImageClassificationBody(context), make_observation(context, batch=1)
    caught = []
    body.pixel_layer.register_forward_hook(lambda _, inputs, __: caught.append(inputs[0]))
    nothing = body(observation)["image_level_repr"]
    torch.testing.assert_close(nothing, body.image_layer.bias[None])
    for round_, (row, column) in enumerate([(2, 1), (5, 3), (2, 1)]):
        observation["message_history"][0, round_, 0, 0, row, column] = 1
    two = body(observation)["image_level_repr"]
    mean = (caught[1][:, 2, 1] + caught[1][:, 5, 3]) / 2
    torch.testing.assert_close(two, body.image_layer(mean))


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_the_image_vector_pools_the_latent_pixels(pooling, float64) -> None:
    context = make_context(image_pooling=pooling)
    body, observation = ImageClassificationBody(context), make_observation(context)
    caught = []
    body.pixel_layer.register_forward_hook(lambda _, inputs, __: caught.append(inputs[0]))
    representation = body(observation)
    pixels = caught[0].flatten(1, 2)
    pooled = pixels.mean(1) if pooling == "mean" else pixels.amax(1)
    torch.testing.assert_close(representation["image_level_repr"], body.image_layer(pooled))
