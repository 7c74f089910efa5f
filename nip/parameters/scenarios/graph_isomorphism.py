"""Parameters of the agents of graph isomorphism."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from annotated_types import Ge, Le

from nip.parameters.agents import LEARNING_OPTIONS, LrFactors
from nip.parameters.fields.group_annotation import GROUP_DEFAULT, Group
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.scenarios.network_sizes import LAYER, Sizes, head_sizes, network_needs
from nip.parameters.scenarios.pooled_heads import PooledHeadParameters
from nip.parameters.types import (
    ActivationType,
    Count,
    CountOrZero,
    NonNegative,
    Positive,
    Probability,
)
from nip.utils.memory_limit import MemoryNeed

_LEARNT_PARTS = (
    "activation_function",
    "gnn_output_digits",
    "use_dual_gnn",
    "dual_gnn_marks",
    "mark_streams",
    "tie_message_rounds",
    "num_heads",
    "num_transformer_layers",
    "d_transformer",
    "d_transformer_mlp",
    "transformer_dropout",
    "node_selector",
    "d_node_selector",
    "num_node_selector_layers",
    "initial_selector_scale",
    "d_decider",
    "num_decider_layers",
    "include_round_in_decider",
    "d_linear_message_selector",
    "num_linear_message_selector_layers",
    "d_value",
    "num_value_layers",
    "include_round_in_value",
    "use_batch_norm",
    "noise_sigma",
    "use_pair_invariant_pooling",
    "pair_difference_scale",
    "gnn_lr_factor",
)
"""Options of the parts that the hand-written policy does not have."""


@register_parameter_class
@dataclass
class GraphIsomorphismAgentParameters(PooledHeadParameters):
    """A graph neural network, a transformer over the nodes of both graphs, and heads on top."""

    activation_function: ActivationType = "tanh"
    """Activation function of the graph network and of all heads."""

    num_gnn_layers: Count = 5
    """Number of graph isomorphism network (GIN) layers."""

    d_gnn: Count = 16
    """Width of the node features in the graph network."""

    d_gin_mlp: Count = 64
    """Hidden width of the perceptron inside each GIN layer."""

    gin_eps: NonNegative = 0.0
    """Weight of a node in the sum of a layer, beyond that of a neighbour."""

    gnn_output_digits: Annotated[int, Ge(0), Le(30)] | None = None
    """Decimals to which the output of the graph network is rounded; None: no rounding."""

    use_dual_gnn: bool = True
    """Run the graph network a second time, by default without marks, and use both outputs."""

    dual_gnn_marks: Literal["none", "earlier"] = "none"
    """Marks in that second run: none, or those of all exchanges before the present one."""

    mark_streams: Literal["joint", "channel", "exchange"] = "joint"
    """Run the graph network on all marks, or separately on those of each channel or exchange."""

    tie_message_rounds: bool | Literal["exchange"] = False
    """Use the same input weights for the messages of all rounds, or of each question and answer."""

    num_heads: Count = 4
    """Number of attention heads of the transformer; must divide ``d_transformer``."""

    num_transformer_layers: CountOrZero = 4
    """Number of transformer encoder layers; 0: no transformer."""

    d_transformer: Count = 16
    """Width of the tokens of the transformer."""

    d_transformer_mlp: Count = 64
    """Hidden width of the feed-forward part of each transformer layer."""

    transformer_dropout: Probability = 0.0
    """Dropout probability of the transformer."""

    node_selector: Literal["mlp", "similarity"] = "mlp"
    """How nodes are scored as messages: by a perceptron, or by similarity to the marked nodes."""

    d_node_selector: Count = 16
    """Hidden width of the head that chooses a node as message."""

    num_node_selector_layers: Count = 2
    """Number of linear layers of the head that chooses a node; fewer than 2 count as 2."""

    initial_selector_scale: Positive = 1.0
    """Factor on the initial logits of that head; a large one makes its choice deterministic."""

    use_batch_norm: bool = True
    """Normalise the pooled features of the graphs over the batch."""

    noise_sigma: NonNegative = 0.0
    """Scale of the training noise relative to the features; both graphs of a pair get the same."""

    use_pair_invariant_pooling: bool = True
    """Replace the pooled features (u, v) of a pair by their mean and half absolute difference."""

    pair_difference_scale: Literal["linear", "log"] = "linear"
    """Scale of the half absolute difference d of a pair: d itself, or log(d + 1e-4) / 5."""

    gnn_lr_factor: Group[LrFactors] = GROUP_DEFAULT
    """Factors on the learning rate of the body for the graph network."""

    unused_rules: ClassVar = (
        *PooledHeadParameters.unused_rules,
        UnusedOptionRule(
            ("num_heads", "d_transformer_mlp", "transformer_dropout"),
            "with num_transformer_layers=0",
            lambda agent, _: agent.num_transformer_layers == 0,
        ),
        UnusedOptionRule(
            (*LEARNING_OPTIONS, *_LEARNT_PARTS),
            "with use_manual_architecture=True: the agent follows a fixed algorithm",
            lambda agent, _: agent.use_manual_architecture,
        ),
        UnusedOptionRule(
            ("dual_gnn_marks",),
            "unless use_dual_gnn=True",
            lambda agent, _: not agent.use_dual_gnn,
        ),
        UnusedOptionRule(
            ("pair_difference_scale",),
            "unless use_pair_invariant_pooling=True",
            lambda agent, _: not agent.use_pair_invariant_pooling,
        ),
    )

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require that the sizes of the network are consistent."""
        if self.num_transformer_layers > 0 and self.d_transformer % self.num_heads:
            yield (
                f"{at('d_transformer')} must be a multiple of {at('num_heads')} "
                f"({self.num_heads}), got {self.d_transformer}. Change one of them, or leave the "
                f"transformer out with "
                f"{at('num_transformer_layers')}=0."
            )
        if self.node_selector == "similarity" and not self.use_dual_gnn:
            yield (
                f"{at('node_selector')}='similarity' compares nodes in the stream that sees no "
                f"messages, so {at('use_dual_gnn')} must be True, got False. Set it to True, or "
                f"choose {at('node_selector')}='mlp'."
            )

    def memory_needs(
        self, at: Callable[[str], str], hyper_params: SubParameters
    ) -> Iterator[MemoryNeed]:
        """State the sizes of the networks."""
        yield from network_needs(self, at, hyper_params, self._sizes(at, hyper_params))

    def _sizes(self, at: Callable[[str], str], hyper_params: SubParameters) -> Iterator[Sizes]:
        d_out, size = hyper_params.get("d_representation"), hyper_params.get("message_size")
        width, layers = self.d_transformer, self.num_transformer_layers
        yield (
            "the graph network",
            (".num_gnn_layers", ".d_gnn", ".d_gin_mlp", "message_size"),
            self.num_gnn_layers * 2 * (self.d_gnn * self.d_gin_mlp + LAYER) + self.d_gnn * size,
        )
        if self.use_manual_architecture:
            return
        yield (
            "the transformer",
            (".num_transformer_layers", ".d_transformer", ".d_transformer_mlp"),
            layers * (4 * width**2 + 2 * width * self.d_transformer_mlp + LAYER),
        )
        yield "the layer before it", (".d_gnn", ".d_transformer"), self.d_gnn * width
        yield "the representation", (".d_transformer", "d_representation"), width * d_out
        yield from head_sizes(self, at, hyper_params, "node_selector")

    @classmethod
    def construct_test_params(cls) -> Self:
        """Return the smallest valid network: one layer of each kind, widths 1 (2 for two heads)."""
        return cls(
            num_gnn_layers=1,
            d_gnn=1,
            d_gin_mlp=1,
            num_heads=2,
            num_transformer_layers=1,
            d_transformer=2,
            d_transformer_mlp=1,
            d_node_selector=1,
            num_node_selector_layers=1,
            d_decider=1,
            num_decider_layers=1,
            d_linear_message_selector=1,
            num_linear_message_selector_layers=1,
            d_value=1,
            num_value_layers=1,
        )


@register_parameter_class
@dataclass
class GraphIsomorphismParameters(SubParameters):
    """What a message can mark."""

    mark_pairs: bool = False
    """Let positions 2k and 2k + 1 of a message mark a pair of nodes, one node of each graph."""
