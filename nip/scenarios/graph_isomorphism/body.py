"""The body of a graph isomorphism agent, which represents a pair of graphs and the marks on it."""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from nip.parameters.scenarios.graph_isomorphism import GraphIsomorphismAgentParameters
from nip.scenario_base.agents import AgentBody, AgentContext
from nip.scenario_base.networks import initialise_orthogonally, round_through
from nip.scenario_base.row_selection import ROW_MASK
from nip.scenarios.graph_isomorphism.exchanges import (
    earlier_marks,
    exchange_of_rounds,
    stream_masks,
)
from nip.scenarios.graph_isomorphism.gin import Gin
from nip.scenarios.graph_isomorphism.legality import num_colours
from nip.scenarios.graph_isomorphism.pooling import PairPooling
from nip.scenarios.graph_isomorphism.transformer import TransformerEncoder

NUM_GRAPHS = 2
"""Number of graphs in a pair, and of pooled tokens."""


def graph_parameters(context: AgentContext) -> GraphIsomorphismAgentParameters:
    """Return the agent's parameters with their type in this scenario."""
    assert isinstance(context.params, GraphIsomorphismAgentParameters)
    return context.params


def group_rounds(
    exchanges: Int[Tensor, " round"], tied: bool | Literal["exchange"]
) -> Int[Tensor, " round"]:
    """Return the group of each round, counted from 0; the rounds of a group share input weights."""
    if tied == "exchange":
        return exchanges
    return torch.zeros_like(exchanges) if tied else torch.arange(len(exchanges))


def node_features(
    x: Float[Tensor, "batch round channel position graph node"],
    groups: Int[Tensor, " round"],
    num_groups: int,
) -> Float[Tensor, "batch graph node feature"]:
    """Arrange the marks of all rounds as features of the nodes.

    There is one feature for each group of rounds, channel and position: the sum over the rounds of
    the group, which are counted from 0, so that a mark looks the same in all of them.
    """
    batch, num_rounds = x.shape[:2]
    if num_groups < num_rounds:
        grouped = x.new_zeros(batch, num_groups, *x.shape[2:])
        x = grouped.index_add(1, groups, x)
    return x.flatten(1, 3).permute(0, 2, 3, 1)


def merge_positions(marks: Tensor, num_colours: int, dim: int) -> Tensor:
    """Sum the marks of positions that share a colour, which are next to each other.

    ``dim`` is the axis of positions.
    """
    if marks.shape[dim] == num_colours:
        return marks
    return marks.unflatten(dim, (num_colours, -1)).sum(dim + 1)


class GraphIsomorphismBody(AgentBody):
    """A graph network on both graphs, then a transformer across them.

    Each graph becomes one pooled token and each node becomes one token. A node token attends to
    itself, to the pooled tokens and to the nodes of the other graph.
    """

    indicators: Tensor
    attention_mask: Tensor
    exchanges: Tensor
    groups: Tensor
    streams: Tensor

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = graph_parameters(context)
        self.params = params
        self.num_nodes = context.message_shape[-1]
        self.num_colours = num_colours(context)
        exchanges = exchange_of_rounds(context.protocol)
        self.register_buffer("exchanges", exchanges, persistent=False)
        groups = group_rounds(exchanges, params.tie_message_rounds)
        self.num_groups = int(groups[-1]) + 1
        self.register_buffer("groups", groups, persistent=False)
        streams = stream_masks(exchanges, context.num_visible_channels, params.mark_streams)
        self.register_buffer("streams", streams, persistent=False)
        self.gnn = Gin(
            self._num_message_features(),
            params.d_gnn,
            params.d_gin_mlp,
            num_layers=params.num_gnn_layers,
            activation=params.activation_function,
            num_streams=len(streams) + params.use_dual_gnn,
            eps=params.gin_eps,
        )
        self.sub_parts = {"gnn": self.gnn}
        self.pooling = PairPooling(
            self.gnn.d_out,
            use_batch_norm=params.use_batch_norm,
            noise_sigma=params.noise_sigma,
            use_pair_invariant_pooling=params.use_pair_invariant_pooling,
            pair_difference_scale=params.pair_difference_scale,
        )
        self.token_layer = nn.Linear(self.gnn.d_out + self._num_extras(), params.d_transformer)
        self.transformer = TransformerEncoder(
            params.d_transformer,
            params.d_transformer_mlp,
            num_layers=params.num_transformer_layers,
            num_heads=params.num_heads,
            dropout=params.transformer_dropout,
        )
        self.output_layer = nn.Linear(params.d_transformer, context.d_representation)
        indicators = torch.eye(NUM_GRAPHS * (1 + self.num_nodes), NUM_GRAPHS)
        self.register_buffer("indicators", indicators, persistent=False)
        mask = make_attention_mask(self.num_nodes).unsqueeze(0)
        self.register_buffer("attention_mask", mask, persistent=False)
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)

    def forward(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Represent a batch of observations.

        Returns
        -------
        representation : dict of str to Tensor
            ``graph_level_repr`` (batch, 2, D) and ``node_level_repr`` (batch, 2, node, D). With a
            dual graph network also ``structural_node_repr`` (batch, 2, node, d_gnn): the nodes in
            its stream, which is the last.
        """
        nodes = self.encode_nodes(observation)
        extras = self._extras(observation)
        features = self.pooling.tokens(nodes, extras, observation.get(ROW_MASK))
        is_real = F.pad(observation["node_mask"].flatten(1), (NUM_GRAPHS, 0), value=True)
        output = self.transformer(
            features, self.attention_mask, is_real, self.token_layer, self.output_layer
        )
        of_graphs, of_nodes = output.split((NUM_GRAPHS, NUM_GRAPHS * self.num_nodes), dim=1)
        representation = {
            "graph_level_repr": of_graphs,
            "node_level_repr": of_nodes.unflatten(1, (NUM_GRAPHS, -1)),
        }
        if self.params.use_dual_gnn:
            representation["structural_node_repr"] = nodes[..., -self.params.d_gnn :]
        return representation

    def encode_nodes(
        self, observation: Mapping[str, Tensor]
    ) -> Float[Tensor, "batch graph node d_out"]:
        """Represent every node by its own graph and the marks on it, not by the other graph."""
        x = merge_positions(observation["x"], self.num_colours, dim=3)
        seen = [x]
        if len(self.streams) > 1:
            seen = [x * stream[..., None, None, None] for stream in self.streams]
        if self.params.use_dual_gnn and self.params.dual_gnn_marks == "earlier":
            seen.append(earlier_marks(x, observation["round"], self.exchanges))
        first, *others = (node_features(marks, self.groups, self.num_groups) for marks in seen)
        nodes = self.gnn(first, observation["adjacency"], observation["node_mask"], *others)
        if self.params.gnn_output_digits is None:
            return nodes
        return round_through(nodes, self.params.gnn_output_digits)

    def _num_message_features(self) -> int:
        return self.num_groups * self.context.num_visible_channels * self.num_colours

    def _num_extras(self) -> int:
        """Return the number of features of a token apart from the graph network's output."""
        context = self.context
        channels = context.num_visible_channels
        linear_symbols = channels * context.message_size * (context.linear_symbols or 0)
        return NUM_GRAPHS + channels * self.num_colours + linear_symbols * context.num_rounds

    def _extras(self, observation: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the indicator of pooled tokens, the last message, and the linear history."""
        message = merge_positions(observation["message"], self.num_colours, dim=2)
        batch = len(message)
        # Normalisation moves the entries of an empty message away from 0: set round 0 to 0.
        has_message = (observation["round"] > 0).view(batch, 1, 1)
        last_message = message.flatten(3).flatten(1, 2).transpose(1, 2) * has_message
        extras = [
            self.indicators.to(message.dtype).expand(batch, -1, -1),
            F.pad(last_message, (0, 0, NUM_GRAPHS, 0)),
        ]
        if self.context.linear_symbols is not None:
            history = observation["linear_message_history"].flatten(1).unsqueeze(1)
            extras.append(history.expand(-1, len(self.indicators), -1))
        return extras


def make_attention_mask(num_nodes: int) -> Float[Tensor, "token token"]:
    """Return the additive attention mask without padding: 0 for allowed pairs, else minus infinity.

    Pooled tokens, which come first, attend to all tokens. A node attends to itself, to the pooled
    tokens and to the nodes of the other graph, but not to other nodes of its own graph.
    """
    graph = torch.arange(NUM_GRAPHS).repeat_interleave(num_nodes)
    is_hidden = (graph[:, None] == graph) & ~torch.eye(len(graph), dtype=torch.bool)
    is_hidden = F.pad(is_hidden, (NUM_GRAPHS, 0, NUM_GRAPHS, 0))
    return torch.zeros(is_hidden.shape).masked_fill(is_hidden, -torch.inf)
