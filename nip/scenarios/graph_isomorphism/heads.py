"""The heads of a graph isomorphism agent: policy, value and solo head."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nip.native.perceptron import perceptron
from nip.scenario_base.agents import NUM_DECISIONS, AgentContext, PolicyHead, SoloHead, ValueHead
from nip.scenario_base.networks import build_mlp, initialise_orthogonally, two_layer_weights
from nip.scenarios.graph_isomorphism.body import NUM_GRAPHS, graph_parameters
from nip.scenarios.graph_isomorphism.legality import fill_illegal_nodes, num_colours
from nip.scenarios.graph_isomorphism.similarity import NodeSimilarity

NUM_LABELS = 2
"""Number of labels: not isomorphic and isomorphic."""


class PairMlp(nn.Module):
    """A perceptron on the two pooled vectors of a pair and, optionally, the round."""

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
        d_in = NUM_GRAPHS * context.d_representation + (num_rounds if include_round else 0)
        self.activation = graph_parameters(context).activation_function
        self.mlp = build_mlp(
            d_in, d_hidden, d_out, num_layers=num_layers, activation=self.activation
        )
        self.register_buffer("rounds", torch.eye(num_rounds), persistent=False)

    def forward(
        self, graph_level: Float[Tensor, "batch pair d"], round_index: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch d_out"]:
        """Return the output for each pair."""
        features = graph_level.flatten(1)
        if (weights := two_layer_weights(self.mlp)) is not None:
            classes = round_index if self.include_round else None
            return perceptron(features.unsqueeze(1), classes, weights, self.activation).squeeze(1)
        if self.include_round:
            features = torch.cat((features, self.rounds.index_select(0, round_index)), dim=-1)
        return self.mlp(features)


class GraphIsomorphismPolicyHead(PolicyHead):
    """Computes the logits of nodes, of a verifier's decision, and of linear symbols."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = graph_parameters(context)
        self.num_channels = context.num_visible_channels
        self.message_size = context.message_size
        self.num_colours = num_colours(context)
        self.activation = params.activation_function
        self.node_selector = build_mlp(
            context.d_representation,
            params.d_node_selector,
            self.num_channels * self.num_colours,
            num_layers=params.num_node_selector_layers,
            activation=params.activation_function,
        )
        self.similarity = NodeSimilarity() if params.node_selector == "similarity" else None
        self.decider = _build_decider(context) if context.is_decider else None
        self.linear_selector = _build_linear_selector(context) if context.linear_symbols else None
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)
        with torch.no_grad():
            for parameter in self.node_selector[-1].parameters():
                parameter.mul_(params.initial_selector_scale)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the logits of all actions."""
        logits = {"message": self._message_logits(representation, observation)}
        graph_level, round_ = representation["graph_level_repr"], observation["round"]
        if self.decider is not None:
            logits["decision"] = self.decider(graph_level, round_)
        if self.linear_selector is not None:
            shape = (self.num_channels, self.message_size, -1)
            logits["linear_message"] = self.linear_selector(graph_level, round_).unflatten(
                -1, shape
            )
        return logits

    def _message_logits(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Float[Tensor, "batch channel position symbol"]:
        nodes = representation["node_level_repr"]
        symbols = nodes.shape[1] * nodes.shape[2]
        if (weights := two_layer_weights(self.node_selector)) is not None:
            scores = perceptron(nodes.flatten(1, 2), None, weights, self.activation)
        else:
            # All in one matrix: the nodes of each pair are not next to those of the next one.
            scores = self.node_selector(nodes.flatten(0, 2))
        logits = scores.view(len(nodes), symbols, self.num_channels, self.num_colours)
        logits = logits.movedim(1, -1)
        if self.num_colours < self.message_size:
            # The same scores for both positions of a pair: they prefer nodes that correspond.
            logits = logits.repeat_interleave(self.message_size // self.num_colours, dim=2)
        if self.similarity is not None:
            structure = representation["structural_node_repr"]
            logits = self.similarity(logits, structure, observation)
        return fill_illegal_nodes(self.context, logits, observation)


class GraphIsomorphismValueHead(ValueHead):
    """Estimates the return from the pooled vectors and, optionally, the round."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = graph_parameters(context)
        self.value = PairMlp(
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
        return self.value(representation["graph_level_repr"], observation["round"]).squeeze(-1)


class GraphIsomorphismSoloHead(SoloHead):
    """Predicts the label from the pooled vectors alone."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = graph_parameters(context)
        self.decider = PairMlp(
            context, params.d_decider, NUM_LABELS, num_layers=params.num_decider_layers
        )
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Float[Tensor, "batch label"]:
        """Return the logits of the two labels."""
        return self.decider(representation["graph_level_repr"], observation["round"])


def _build_decider(context: AgentContext) -> PairMlp:
    params = graph_parameters(context)
    return PairMlp(
        context,
        params.d_decider,
        NUM_DECISIONS,
        num_layers=params.num_decider_layers,
        include_round=params.include_round_in_decider,
    )


def _build_linear_selector(context: AgentContext) -> PairMlp:
    params = graph_parameters(context)
    return PairMlp(
        context,
        params.d_linear_message_selector,
        context.num_visible_channels * context.message_size * (context.linear_symbols or 0),
        num_layers=params.num_linear_message_selector_layers,
    )
