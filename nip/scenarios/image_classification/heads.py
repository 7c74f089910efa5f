"""The heads of an image classification agent: policy, value and solo head."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from nip.native.perceptron import perceptron
from nip.scenario_base.agents import AgentContext
from nip.scenario_base.networks import build_mlp, initialise_orthogonally, two_layer_weights
from nip.scenario_base.pooled_heads import (
    PooledPolicyHead,
    PooledSoloHead,
    PooledValueHead,
    ReadsPooled,
)
from nip.scenarios.image_classification.body import image_parameters


class ReadsImage(ReadsPooled):
    """Reads the representation of the whole image."""

    pooled_key = "image_level_repr"


class ImageClassificationPolicyHead(ReadsImage, PooledPolicyHead):
    """Computes the logits of latent pixels, of a verifier's decision, and of linear symbols."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = image_parameters(context)
        self.num_channels = context.num_visible_channels
        self.message_size = context.message_size
        self.activation = params.activation_function
        self.latent_pixel_selector = build_mlp(
            context.d_representation,
            params.d_latent_pixel_selector,
            self.num_channels * self.message_size,
            num_layers=params.num_latent_pixel_selector_layers,
            activation=params.activation_function,
        )
        self.build_pooled()
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the logits of all actions; every latent pixel may be named."""
        pixels = representation["latent_pixel_level_repr"].flatten(1, 2)
        shape = (self.num_channels, self.message_size)
        message = self._scores(pixels).transpose(1, 2).unflatten(1, shape)
        return {"message": message, **self.pooled_logits(representation, observation)}

    def _scores(
        self, pixels: Float[Tensor, "batch pixel d"]
    ) -> Float[Tensor, "batch pixel symbol"]:
        if (weights := two_layer_weights(self.latent_pixel_selector)) is not None:
            return perceptron(pixels, None, weights, self.activation)
        return self.latent_pixel_selector(pixels)


class ImageClassificationValueHead(ReadsImage, PooledValueHead):
    """Estimates the return from the representation of the image and, optionally, the round."""


class ImageClassificationSoloHead(ReadsImage, PooledSoloHead):
    """Predicts the label from the representation of the image alone."""
