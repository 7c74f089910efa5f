"""The heads of a graph isomorphism agent: policy, value and solo head."""

from collections.abc import Mapping

import torch
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
from nip.scenarios.graph_isomorphism.body import NUM_GRAPHS, graph_parameters
from nip.scenarios.graph_isomorphism.legality import fill_illegal_nodes, num_colours
from nip.scenarios.graph_isomorphism.similarity import NodeSimilarity


class ReadsPairs(ReadsPooled):
    """Reads the pooled vectors of both graphs."""

    pooled_key = "graph_level_repr"
    num_pooled = NUM_GRAPHS


class GraphIsomorphismPolicyHead(ReadsPairs, PooledPolicyHead):
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
        self.build_pooled()
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)
        with torch.no_grad():
            for parameter in self.node_selector[-1].parameters():
                parameter.mul_(params.initial_selector_scale)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the logits of all actions."""
        message = self._message_logits(representation, observation)
        return {"message": message, **self.pooled_logits(representation, observation)}

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


class GraphIsomorphismValueHead(ReadsPairs, PooledValueHead):
    """Estimates the return from the pooled vectors and, optionally, the round."""


class GraphIsomorphismSoloHead(ReadsPairs, PooledSoloHead):
    """Predicts the label from the pooled vectors alone."""
