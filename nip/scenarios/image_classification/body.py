"""The body of an agent: represents an image and the latent pixels that messages have named."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nip.parameters import ImageClassificationAgentParameters
from nip.scenario_base.agents import AgentBody, AgentContext
from nip.scenario_base.networks import ACTIVATIONS, initialise_orthogonally
from nip.scenarios.image_classification.blocks import BlockGroup, dilate, resize
from nip.scenarios.image_classification.embeddings import EMBEDDINGS


def image_parameters(context: AgentContext) -> ImageClassificationAgentParameters:
    """Return the agent's parameters with their type in this scenario."""
    assert isinstance(context.params, ImageClassificationAgentParameters)
    return context.params


def pixel_coordinates(height: int, width: int) -> Float[Tensor, "2 height width"]:
    """Return row and column of each pixel, from -1 to 1 (Liu et al., CoordConv, 2018)."""
    rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))


class ImageClassificationBody(AgentBody):
    """A convolutional network on the image, the messages and, optionally, pretrained features.

    Every message plane is enlarged to the size of the image. Two linear layers for each pixel, then
    groups of blocks with poolings, lead to a grid of latent pixels, to which the planes of the last
    message are appended.
    """

    coordinates: Tensor

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = image_parameters(context)
        self.params = params
        options = context.hyper_params.image_classification
        width, num_groups = options.initial_num_channels, options.num_block_groups
        num_channels, self.height, self.width = context.observation_shapes["image"]
        num_symbols = context.num_visible_channels * context.message_size
        d_in = context.num_rounds * num_symbols + num_channels
        self.embedding_key = f"{EMBEDDINGS}/{params.pretrained_embeddings_model}"
        self.embedding_layer: nn.Module | None = None
        if params.pretrained_embeddings_model is not None:
            d_embedding = context.observation_shapes[self.embedding_key][0]
            self.embedding_layer = nn.Conv2d(d_embedding, params.pretrained_embedding_channels, 1)
            d_in += params.pretrained_embedding_channels
        if params.include_coordinates:
            d_in += 2
        coordinates = pixel_coordinates(self.height, self.width)
        self.register_buffer("coordinates", coordinates, persistent=False)
        self.input_layers = nn.Sequential(
            nn.Conv2d(d_in, d_in, 1),
            ACTIVATIONS[params.activation_function](),
            nn.Conv2d(d_in, width, 1),
        )
        groups = [BlockGroup(width << number, params) for number in range(num_groups)]
        self.groups = nn.Sequential(*groups)
        d_pixel = (width << num_groups) + num_symbols
        d_linear = context.num_rounds * num_symbols * (context.linear_symbols or 0)
        self.pixel_layer = nn.Linear(d_pixel, context.d_representation)
        self.image_layer = nn.Linear(d_pixel + d_linear, context.d_representation)
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)

    def forward(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Represent a batch of observations.

        Returns
        -------
        representation : dict of str to Tensor
            ``image_level_repr`` (batch, D) and ``latent_pixel_level_repr`` (batch, row, column, D).
        """
        pixels = self.groups(self.input_layers(self._input_planes(observation)))
        pixels = torch.cat((pixels, self._last_message(observation)), dim=1)
        pooled = self._pool(pixels, observation["message_history"])
        if self.context.linear_symbols is not None:
            pooled = torch.cat((pooled, observation["linear_message_history"].flatten(1)), dim=-1)
        return {
            "image_level_repr": self.image_layer(pooled),
            "latent_pixel_level_repr": self.pixel_layer(pixels.permute(0, 2, 3, 1)),
        }

    def _pool(
        self,
        pixels: Float[Tensor, "batch d row column"],
        history: Float[Tensor, "batch round channel position row column"],
    ) -> Float[Tensor, "batch d"]:
        if self.params.image_pooling == "mean":
            return pixels.mean((2, 3))
        if self.params.image_pooling == "max":
            return pixels.amax((2, 3))
        named = dilate(history.flatten(1, 3).amax(1), radius=0).unsqueeze(1)
        return (pixels * named).sum((2, 3)) / named.sum((2, 3)).clamp_min(1)

    def _input_planes(
        self, observation: Mapping[str, Tensor]
    ) -> Float[Tensor, "batch plane height width"]:
        """Return the history of messages, the image and the features as planes of one size."""
        seen = [observation["image"]]
        if self.embedding_layer is not None:
            embedding = self.embedding_layer(observation[self.embedding_key])
            seen.append(resize(embedding, self.height, self.width))
        if self.params.glimpse_radius is not None:
            window = self._window(observation["message_history"], self.params.glimpse_radius)
            seen = [planes * window for planes in seen]
        history = resize(observation["x"].flatten(1, 3), self.height, self.width)
        if self.params.include_coordinates:
            seen.append(self.coordinates.expand(len(history), -1, -1, -1))
        return torch.cat((history, *seen), dim=1)

    def _window(
        self, history: Float[Tensor, "batch round channel position row column"], radius: int
    ) -> Float[Tensor, "batch 1 height width"]:
        """Return 1 at the pixels near latent pixels that have been named, and 0 at all others."""
        near = dilate(history.flatten(1, 3).amax(1), radius)
        return resize(near.unsqueeze(1), self.height, self.width)

    def _last_message(
        self, observation: Mapping[str, Tensor]
    ) -> Float[Tensor, "batch symbol row column"]:
        """Return the planes of the last message, zeros without one."""
        message = observation["message"]
        # Normalisation moves the entries of an empty message away from 0: set round 0 to 0.
        has_message = (observation["round"] > 0).view(-1, 1, 1, 1)
        return message.flatten(1, 2) * has_message
