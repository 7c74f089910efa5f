"""The heads of an image classification agent: policy, value and solo head."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nip.scenario_base.agents import NUM_DECISIONS, AgentContext, PolicyHead, SoloHead, ValueHead
from nip.scenario_base.networks import build_mlp, initialise_orthogonally
from nip.scenarios.image_classification.body import image_parameters

NUM_LABELS = 2
"""Number of labels."""


class ImageMlp(nn.Module):
    """A perceptron on the representation of an image and, optionally, the round."""

    rounds: Tensor

    def __init__(
        self,
        context: AgentContext,
        d_hidden: int,
        d_out: int,
        *,
        num_layers: int,
        include_round: bool = False,
    ) -> None:
        super().__init__()
        self.include_round = include_round
        # One more than there are rounds, because the observation after the last one has a round.
        num_rounds = context.num_rounds + 1
        d_in = context.d_representation + (num_rounds if include_round else 0)
        activation = image_parameters(context).activation_function
        self.mlp = build_mlp(d_in, d_hidden, d_out, num_layers=num_layers, activation=activation)
        self.register_buffer("rounds", torch.eye(num_rounds), persistent=False)

    def forward(
        self, image_level: Float[Tensor, "batch d"], round_index: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch d_out"]:
        """Return the output for each image."""
        if self.include_round:
            image_level = torch.cat((image_level, self.rounds[round_index]), dim=-1)
        return self.mlp(image_level)


class ImageClassificationPolicyHead(PolicyHead):
    """Computes the logits of latent pixels, of a verifier's decision, and of linear symbols."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = image_parameters(context)
        self.num_channels = context.num_visible_channels
        self.message_size = context.message_size
        num_messages = self.num_channels * self.message_size
        self.latent_pixel_selector = build_mlp(
            context.d_representation,
            params.d_latent_pixel_selector,
            num_messages,
            num_layers=params.num_latent_pixel_selector_layers,
            activation=params.activation_function,
        )
        self.decider: ImageMlp | None = None
        if context.is_decider:
            self.decider = ImageMlp(
                context,
                params.d_decider,
                NUM_DECISIONS,
                num_layers=params.num_decider_layers,
                include_round=params.include_round_in_decider,
            )
        self.linear_selector: ImageMlp | None = None
        if context.linear_symbols is not None:
            self.linear_selector = ImageMlp(
                context,
                params.d_linear_message_selector,
                num_messages * context.linear_symbols,
                num_layers=params.num_linear_message_selector_layers,
            )
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the logits of all actions; every latent pixel may be named."""
        image_level, round_ = representation["image_level_repr"], observation["round"]
        shape = (self.num_channels, self.message_size)
        pixels = representation["latent_pixel_level_repr"].flatten(1, 2)
        message = self.latent_pixel_selector(pixels).transpose(1, 2).unflatten(1, shape)
        logits = {"message": message}
        if self.decider is not None:
            logits["decision"] = self.decider(image_level, round_)
        if self.linear_selector is not None:
            linear = self.linear_selector(image_level, round_)
            logits["linear_message"] = linear.unflatten(-1, (*shape, -1))
        return logits


class ImageClassificationValueHead(ValueHead):
    """Estimates the return from the representation of the image and, optionally, the round."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = image_parameters(context)
        self.value = ImageMlp(
            context,
            params.d_value,
            1,
            num_layers=params.num_value_layers,
            include_round=params.include_round_in_value,
        )
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Float[Tensor, " batch"]:
        """Return the value."""
        return self.value(representation["image_level_repr"], observation["round"]).squeeze(-1)


class ImageClassificationSoloHead(SoloHead):
    """Predicts the label from the representation of the image alone."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = image_parameters(context)
        self.decider = ImageMlp(
            context, params.d_decider, NUM_LABELS, num_layers=params.num_decider_layers
        )
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Float[Tensor, "batch label"]:
        """Return the logits of the two labels."""
        return self.decider(representation["image_level_repr"], observation["round"])
