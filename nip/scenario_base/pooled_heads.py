"""Heads that read a summary of the whole question: vectors pooled over its nodes or pixels."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nip.native.perceptron import perceptron
from nip.parameters.scenarios.pooled_heads import PooledHeadParameters
from nip.scenario_base.agents import NUM_DECISIONS, AgentContext, PolicyHead, SoloHead, ValueHead
from nip.scenario_base.networks import build_mlp, initialise_orthogonally, two_layer_weights

NUM_LABELS = 2
"""Number of labels."""


class RoundMlp(nn.Module):
    """A perceptron on features and, optionally, the round as a one-hot vector."""

    rounds: Tensor

    def __init__(
        self,
        context: AgentContext,
        d_in: int,
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
        self.activation = head_parameters(context).activation_function
        self.mlp = build_mlp(
            d_in + (num_rounds if include_round else 0),
            d_hidden,
            d_out,
            num_layers=num_layers,
            activation=self.activation,
        )
        self.register_buffer("rounds", torch.eye(num_rounds), persistent=False)

    def forward(
        self, features: Float[Tensor, "batch *feature"], round_index: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch d_out"]:
        """Return the output for each question."""
        features = features.flatten(1)
        if (weights := two_layer_weights(self.mlp)) is not None:
            classes = round_index if self.include_round else None
            return perceptron(features.unsqueeze(1), classes, weights, self.activation).squeeze(1)
        if self.include_round:
            features = torch.cat((features, self.rounds.index_select(0, round_index)), dim=-1)
        return self.mlp(features)


class ReadsPooled:
    """Says which entry of the representation has the pooled vectors."""

    pooled_key: ClassVar[str]
    """Its key; it is (batch, vector, D), or (batch, D)."""

    num_pooled: ClassVar[int] = 1
    """Number of vectors."""


class PooledPolicyHead(ReadsPooled, PolicyHead):
    """Base class of policy heads that decide, and write linear messages, by the pooled vectors.

    A subclass builds the network of its messages first and then calls ``build_pooled``, and adds
    the logits of messages to ``pooled_logits``.
    """

    def build_pooled(self) -> None:
        """Build the heads that read the pooled vectors."""
        context = self.context
        params, d_in = head_parameters(context), self.num_pooled * context.d_representation
        self.decider: RoundMlp | None = None
        if context.is_decider:
            self.decider = RoundMlp(
                context,
                d_in,
                params.d_decider,
                NUM_DECISIONS,
                num_layers=params.num_decider_layers,
                include_round=params.include_round_in_decider,
            )
        self.linear_selector: RoundMlp | None = None
        if context.linear_symbols is not None:
            self.linear_selector = RoundMlp(
                context,
                d_in,
                params.d_linear_message_selector,
                context.num_visible_channels * context.message_size * context.linear_symbols,
                num_layers=params.num_linear_message_selector_layers,
            )

    def pooled_logits(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the logits of a decision and of linear messages, as far as there are any."""
        pooled, round_ = representation[self.pooled_key], observation["round"]
        logits = {}
        if self.decider is not None:
            logits["decision"] = self.decider(pooled, round_)
        if self.linear_selector is not None:
            shape = (self.context.num_visible_channels, self.context.message_size, -1)
            logits["linear_message"] = self.linear_selector(pooled, round_).unflatten(-1, shape)
        return logits


class PooledValueHead(ReadsPooled, ValueHead):
    """Estimates the return from the pooled vectors and, optionally, the round."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = head_parameters(context)
        self.value = RoundMlp(
            context,
            self.num_pooled * context.d_representation,
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
        return self.value(representation[self.pooled_key], observation["round"]).squeeze(-1)


class PooledSoloHead(ReadsPooled, SoloHead):
    """Predicts the label from the pooled vectors alone."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = head_parameters(context)
        self.decider = RoundMlp(
            context,
            self.num_pooled * context.d_representation,
            params.d_decider,
            NUM_LABELS,
            num_layers=params.num_decider_layers,
        )
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Float[Tensor, "batch label"]:
        """Return the logits of the two labels."""
        return self.decider(representation[self.pooled_key], observation["round"])


def head_parameters(context: AgentContext) -> PooledHeadParameters:
    """Return the agent's parameters with the type of agents with such heads."""
    assert isinstance(context.params, PooledHeadParameters)
    return context.params
