"""Frozen reference networks: the default agents in plain PyTorch, as a yardstick for speed.

They share no code with the package, so that a faster package changes only one side of a ratio.
Names of parameters are those of the package, whose weights they load. Do not make them faster.
"""

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ILLEGAL_LOGIT = -1e9
CHANNEL_DIMS = {"x": 2, "message_history": 2, "message": 1}
"""Dimension of the channel in each observation that has one."""


class PlainOutput(NamedTuple):
    """Output of an agent for a batch of observations."""

    message_logits: Tensor
    """(batch, channel, position, symbol)."""

    decision_logits: Tensor | None
    """(batch, 3); None for an agent that does not decide."""

    value: Tensor
    """(batch,)."""


def mlp(d_in: int, d_hidden: int, d_out: int) -> nn.Sequential:
    """Build a perceptron with one hidden layer."""
    return nn.Sequential(nn.Linear(d_in, d_hidden), nn.Tanh(), nn.Linear(d_hidden, d_out))


class PlainGin(nn.Module):
    """A graph isomorphism network on two streams, the second of which has no features."""

    def __init__(self, d_features: int, params: Any) -> None:
        super().__init__()
        self.input_layer = nn.Linear(d_features, params.d_gnn)
        layers = (
            mlp(params.d_gnn, params.d_gin_mlp, params.d_gnn) for _ in range(params.num_gnn_layers)
        )
        self.mlps = nn.ModuleList(layers)

    def forward(self, features: Tensor, adjacency: Tensor, node_mask: Tensor) -> Tensor:
        """Represent the nodes, (batch, 2, node, 2 * d_gnn)."""
        hidden = self.input_layer(features).flatten(0, 1)
        hidden = torch.cat((hidden, self.input_layer.bias.expand_as(hidden)), dim=-1)
        neighbours = adjacency.flatten(0, 1).to(hidden.dtype)
        neighbours = neighbours + torch.eye(neighbours.shape[-1])
        for layer in self.mlps:
            hidden = torch.bmm(neighbours, hidden.tanh())
            hidden = layer(hidden.unflatten(-1, (2, -1))).flatten(2)
        return hidden.unflatten(0, adjacency.shape[:2]) * node_mask.unsqueeze(-1)


class PlainBatchNorm(nn.BatchNorm1d):
    """Batch normalisation that only shifts features which are constant over the batch."""

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise, and update the running statistics when training."""
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = rows.mean(dim=0), rows.var(dim=0, correction=0)
        is_constant = variance <= self.eps
        divisor = torch.where(is_constant, 1.0, (variance + self.eps).sqrt())
        if self.training:
            with torch.no_grad():
                unbiased = variance * len(rows) / (len(rows) - 1)
                unbiased = torch.where(is_constant, self.running_var, unbiased)
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(unbiased, self.momentum)
                self.num_batches_tracked.add_(1)
        return (rows - mean) / divisor * self.weight + self.bias


class PlainAttention(nn.Module):
    """Multi-head self-attention by matrix products, fast for few narrow tokens on a CPU."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Attend under an additive mask, (batch * head, token, token)."""
        batch, length, width = tokens.shape
        projected = F.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        split = projected.view(batch, length, 3, self.num_heads, width // self.num_heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4).flatten(1, 2).unbind(0)
        scale = 1 / sqrt(queries.shape[-1])
        scores = torch.baddbmm(mask, queries, keys.transpose(1, 2), alpha=scale)
        attended = torch.bmm(scores.softmax(dim=-1), values)
        by_head = attended.view(batch, self.num_heads, length, -1)
        return self.out_proj(by_head.transpose(1, 2).reshape(batch, length, width))


class PlainLayer(nn.Module):
    """A transformer layer that normalises after each part."""

    def __init__(self, params: Any) -> None:
        super().__init__()
        width = params.d_transformer
        self.self_attn = PlainAttention(width, params.num_heads)
        self.linear1 = nn.Linear(width, params.d_transformer_mlp)
        self.linear2 = nn.Linear(params.d_transformer_mlp, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Transform the tokens."""
        tokens = self.norm1(tokens + self.self_attn(tokens, mask))
        return self.norm2(tokens + self.linear2(F.relu(self.linear1(tokens))))


class PlainGraphBody(nn.Module):
    """The body of an agent for pairs of graphs."""

    def __init__(self, context: Any) -> None:
        super().__init__()
        params = self.params = context.params
        num_symbols = context.num_visible_channels * context.message_size
        self.gnn = PlainGin(context.num_rounds * num_symbols, params)
        self.pooling = nn.ModuleDict({"batch_norm": PlainBatchNorm(2 * params.d_gnn)})
        self.token_layer = nn.Linear(2 * params.d_gnn + 2 + num_symbols, params.d_transformer)
        layers = nn.ModuleList(PlainLayer(params) for _ in range(params.num_transformer_layers))
        self.transformer = nn.ModuleDict({"layers": layers})
        self.output_layer = nn.Linear(params.d_transformer, context.d_representation)
        num_nodes = context.message_shape[-1]
        self.register_buffer("indicators", torch.eye(2 + 2 * num_nodes, 2), persistent=False)
        graph = torch.arange(2).repeat_interleave(num_nodes)
        hidden = (graph[:, None] == graph) & ~torch.eye(len(graph), dtype=torch.bool)
        self.register_buffer("is_hidden", F.pad(hidden, (2, 0, 2, 0)), persistent=False)

    def forward(self, seen: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the representation of the pair, (batch, 2, D), and of its nodes."""
        batch, node_mask = len(seen["x"]), seen["node_mask"]
        features = seen["x"].flatten(1, 3).permute(0, 2, 3, 1)
        nodes = self.gnn(features, seen["adjacency"], node_mask)
        pooled = nodes.sum(dim=2)
        pooled = self.pooling["batch_norm"](pooled.flatten(0, 1)).view_as(pooled)
        difference = (pooled[:, 0] - pooled[:, 1]).abs() / 2
        pooled = torch.stack((pooled.mean(dim=1), difference), dim=1)
        message = seen["message"].flatten(3).flatten(1, 2).transpose(1, 2)
        message = message * (seen["round"] > 0).view(batch, 1, 1)
        tokens = torch.cat((pooled, nodes.flatten(1, 2)), dim=1)
        extras = self.indicators.expand(batch, -1, -1), F.pad(message, (0, 0, 2, 0))
        tokens = self.token_layer(torch.cat((tokens, *extras), dim=-1))
        is_padding = F.pad(~node_mask.flatten(1), (2, 0)).unsqueeze(1)
        mask = torch.zeros(batch, *self.is_hidden.shape)
        mask = mask.masked_fill(self.is_hidden | is_padding, -torch.inf)
        mask = mask.repeat_interleave(self.params.num_heads, dim=0)
        for layer in self.transformer["layers"]:
            tokens = layer(tokens, mask)
        output = self.output_layer(tokens)
        return output[:, :2].flatten(1), output[:, 2:]


class PlainImageBody(nn.Module):
    """The body of an agent for images."""

    def __init__(self, context: Any) -> None:
        super().__init__()
        options = context.hyper_params.image_classification
        channels, *self.size = context.observation_shapes["image"]
        num_symbols = context.num_visible_channels * context.message_size
        d_in, width = context.num_rounds * num_symbols + channels, options.initial_num_channels
        self.input_layers = nn.Sequential(
            nn.Conv2d(d_in, d_in, 1), nn.Tanh(), nn.Conv2d(d_in, width, 1)
        )
        self.groups = nn.ModuleList()
        for _ in range(options.num_block_groups):
            blocks = nn.ModuleList()
            for number in range(context.params.num_blocks_per_group):
                d_before = width if number == 0 else 2 * width
                convolution = nn.Conv2d(d_before, 2 * width, 3, padding=1)
                blocks.append(nn.ModuleDict({"convolution": convolution}))
            self.groups.append(nn.ModuleDict({"blocks": blocks}))
            width *= 2
        self.pixel_layer = nn.Linear(width + num_symbols, context.d_representation)
        self.image_layer = nn.Linear(width + num_symbols, context.d_representation)

    def forward(self, seen: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the representation of the image, (batch, D), and of its latent pixels."""
        history = F.interpolate(seen["x"].flatten(1, 3), self.size)
        pixels = self.input_layers(torch.cat((history, seen["image"]), dim=1))
        for group in self.groups:
            for block in group["blocks"]:
                pixels = block["convolution"](pixels).tanh()
            pixels = F.max_pool2d(pixels, 2)
        has_message = (seen["round"] > 0).view(-1, 1, 1, 1)
        pixels = torch.cat((pixels, seen["message"].flatten(1, 2) * has_message), dim=1)
        latent = self.pixel_layer(pixels.permute(0, 2, 3, 1).flatten(1, 2))
        return self.image_layer(pixels.mean((2, 3))), latent


class PlainAgent(nn.Module):
    """An agent with the default architecture of its scenario, and weights of the package.

    Parameters
    ----------
    agent : nn.Module
        The agent of the package.
    """

    def __init__(self, agent: Any) -> None:
        super().__init__()
        context = self.context = agent.context
        self.is_graph = context.hyper_params.scenario == "graph_isomorphism"
        self.body = PlainGraphBody(context) if self.is_graph else PlainImageBody(context)
        d_wide = context.d_representation * (2 if self.is_graph else 1) + context.num_rounds + 1
        d_hidden = context.params.d_decider
        num_symbols = context.num_visible_channels * context.message_size
        self.selector = "node_selector" if self.is_graph else "latent_pixel_selector"
        selector = mlp(context.d_representation, d_hidden, num_symbols)
        self.policy_head = nn.ModuleDict({self.selector: selector})
        if context.is_decider:
            self.policy_head["decider"] = nn.ModuleDict({"mlp": mlp(d_wide, d_hidden, 3)})
        value = nn.ModuleDict({"mlp": mlp(d_wide, d_hidden, 1)})
        self.value_head = nn.ModuleDict({"value": value})
        self.register_buffer("rounds", torch.eye(context.num_rounds + 1), persistent=False)
        self.register_buffer("views", torch.tensor(context.views), persistent=False)
        weights = {name: each for name, each in agent.state_dict().items() if "gnn.eps" not in name}
        self.load_state_dict(weights)

    def forward(self, observation: Mapping[str, Tensor]) -> PlainOutput:
        """Return logits on all channels, and the value."""
        seen = self._seen(observation)
        wide, nodes = self.body(seen)
        wide = torch.cat((wide, self.rounds[seen["round"]]), dim=-1)
        channels, size = self.context.num_visible_channels, self.context.message_size
        logits = (
            self.policy_head[self.selector](nodes).transpose(1, 2).unflatten(1, (channels, size))
        )
        if self.is_graph:
            logits = logits.masked_fill(~self._legal(seen), ILLEGAL_LOGIT)
        decision = None
        if self.context.is_decider:
            decision = self.policy_head["decider"]["mlp"](wide)
        value = self.value_head["value"]["mlp"](wide).squeeze(-1)
        value = value.unflatten(0, (len(self.views), -1)).sum(0)
        return PlainOutput(self._on_all_channels(logits), decision, value)

    def _seen(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the channels that the agent reads, of all copies of an exchange that it plays."""
        if len(self.views) == 1 and self.views.numel() == self.context.protocol.num_channels:
            return dict(observation)
        return {
            name: torch.cat([value.index_select(CHANNEL_DIMS[name], view) for view in self.views])
            if name in CHANNEL_DIMS
            else value.repeat(len(self.views), *[1] * (value.ndim - 1))
            for name, value in observation.items()
        }

    def _legal(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Return which nodes may be named: a prover answers a node with one of the other graph."""
        is_node = seen["node_mask"][:, None, None]
        if not self.context.is_prover:
            return is_node.expand(seen["message"].shape).flatten(-2)
        names_second = (seen["message"] > 0).any(dim=-1)[..., 0]
        of_graph = torch.stack((~names_second, names_second), dim=-1)
        return (is_node & of_graph.unsqueeze(-1)).flatten(-2)

    def _on_all_channels(self, logits: Tensor) -> Tensor:
        if len(self.views) == 1 and self.views.numel() == self.context.protocol.num_channels:
            return logits
        of_copies = logits.unflatten(0, (len(self.views), -1))
        batch, positions = of_copies.shape[1], self.context.message_size
        symbols = prod(self.context.message_shape)
        shape = (batch, self.context.protocol.num_channels, positions, symbols)
        full = logits.new_full(shape, ILLEGAL_LOGIT)
        return full.index_copy(1, self.views.flatten(), of_copies.transpose(0, 1).flatten(1, 2))
