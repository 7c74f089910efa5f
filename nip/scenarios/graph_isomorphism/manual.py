"""A hand-written policy for graph isomorphism: ask about a node, answer with its counterpart.

The verifier asks about random nodes and gives each question and its answer the same colour. If the
graphs are isomorphic and the answers honest, the coloured graphs stay equal, and it accepts. The
prover answers with the node of the other graph that is most similar to the one asked about, given
the colours of earlier questions and answers. Nothing is learnt: the graph networks keep their
random weights, which distinguish all graphs that a trained network of the same depth could.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nip.scenario_base.agent import ZeroValueHead
from nip.scenario_base.agents import (
    AVOIDED_LOGIT,
    NUM_DECISIONS,
    AgentBody,
    AgentContext,
    PolicyHead,
)
from nip.scenarios.graph_isomorphism.body import graph_parameters
from nip.scenarios.graph_isomorphism.exchanges import earlier_marks, exchange_of_rounds
from nip.scenarios.graph_isomorphism.gin import Gin
from nip.scenarios.graph_isomorphism.legality import fill_illegal_nodes, last_marks

EQUALITY_TOLERANCE = 1e-9
"""Mean difference of pooled graphs below which they count as equal, in double precision."""

REJECT, ACCEPT, CONTINUE = range(NUM_DECISIONS)


class ManualGraphIsomorphismBody(AgentBody):
    """A graph network with fixed random weights, in double precision.

    Isomorphic graphs then differ by about 1e-14 and others by far more than the tolerance, unless
    no network of this depth can distinguish them. This holds for tanh, so the agent's activation
    function is ignored. Biases are random too: with zero biases all nodes without features would
    be equal. The protocol must be ``nip``, with messages of one symbol.
    """

    exchanges: Tensor

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = graph_parameters(context)
        self.gnn = Gin(
            context.num_rounds,
            params.d_gnn,
            params.d_gin_mlp,
            num_layers=params.num_gnn_layers,
            activation="tanh",
            eps=params.gin_eps,
        ).double()
        self.requires_grad_(False)
        exchanges = exchange_of_rounds(context.protocol)
        self.register_buffer("exchanges", exchanges, persistent=False)
        # The first round of the verifier starts the first pair of question and answer.
        asks = context.protocol.active[0, :, context.protocol.agent_names.index("verifier"), 0]
        self.first_question = int(asks.argmax())

    def forward(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Represent a batch of observations.

        Returns
        -------
        representation : dict of str to Tensor
            ``node_level_repr`` (batch, 2, node, d_gnn) and ``graph_level_repr`` (batch, 2, d_gnn),
            the sum of a graph's nodes, both in double precision.
        """
        x = observation["x"]
        if self.context.is_prover:
            # The present question has no counterpart yet, so it would make every answer look wrong.
            x = earlier_marks(x, observation["round"], self.exchanges)
        marks = mirror_answers(x.flatten(1, 3).double(), self.first_question)
        features = marks.permute(0, 2, 3, 1)
        nodes = self.gnn(features, observation["adjacency"], observation["node_mask"])
        return {"node_level_repr": nodes, "graph_level_repr": nodes.sum(dim=-2)}


class ManualGraphIsomorphismPolicyHead(PolicyHead):
    """The hand-written policy, on a manual body."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        common = context.hyper_params.protocol_common
        self.helps_to_reject = common.shared_reward

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return logits that are 0 for the actions of the policy and avoid all others."""
        message = observation["message"]
        looks_isomorphic = graphs_look_equal(representation["graph_level_repr"])
        uniform = message.new_zeros(message.flatten(-2).shape)
        legal = fill_illegal_nodes(self.context, uniform, observation)
        if self.context.is_decider:
            decision = self._decision_logits(looks_isomorphic, observation["round"])
            logits = {"message": legal, "decision": decision.to(message.dtype)}
        else:
            nodes = representation["node_level_repr"]
            logits = {"message": self._answers(nodes, observation, legal, looks_isomorphic)}
        if self.context.linear_symbols is not None:
            shape = (*message.shape[:3], self.context.linear_symbols)
            logits["linear_message"] = message.new_zeros(shape)
        return logits

    def _decision_logits(
        self, looks_isomorphic: Bool[Tensor, " batch"], round_index: Tensor
    ) -> Float[Tensor, "batch decision"]:
        """Continue until the last round but one, then accept graphs that look isomorphic."""
        verdict = torch.where(looks_isomorphic, ACCEPT, REJECT)
        is_over = round_index >= self.context.num_rounds - 2
        decision = torch.where(is_over, verdict, CONTINUE)
        decisions = torch.arange(NUM_DECISIONS, device=decision.device)
        return (decisions != decision.unsqueeze(-1)) * AVOIDED_LOGIT

    def _answers(
        self,
        node_level: Float[Tensor, "batch graph node d"],
        observation: Mapping[str, Tensor],
        logits: Float[Tensor, "batch 1 1 symbol"],
        looks_isomorphic: Bool[Tensor, " batch"],
    ) -> Float[Tensor, "batch 1 1 symbol"]:
        """Avoid all but the best answer in rows with a question."""
        nodes = node_level.flatten(1, 2)
        marks = last_marks(observation["message"]).flatten(1)
        asked = torch.einsum("bs,bsd->bd", marks.to(nodes.dtype), nodes)
        distance = (nodes - asked.unsqueeze(1)).square().sum(dim=-1)
        if self.helps_to_reject:
            # With a shared reward, the prover reveals a difference as clearly as possible.
            distance = torch.where(looks_isomorphic.unsqueeze(-1), distance, -distance)
        is_legal = logits.flatten(1) == 0
        best = distance.masked_fill(~is_legal, torch.inf).argmin(dim=-1, keepdim=True)
        is_best = torch.zeros_like(is_legal).scatter(1, best, value=True)
        has_question = marks.any(dim=-1, keepdim=True)
        worse = (has_question & is_legal & ~is_best).view_as(logits)
        return logits.masked_fill(worse, AVOIDED_LOGIT)


class ManualGraphIsomorphismValueHead(ZeroValueHead):
    """Value head of the hand-written policy, which always returns zeros."""


def mirror_answers(
    marks: Float[Tensor, "batch round graph node"], first_question: int
) -> Float[Tensor, "batch round graph node"]:
    """Give each question and its answer the same colour, by summing the two rounds.

    The answer to the question of ``first_question`` follows, then the next question.
    """
    num_pairs = (marks.shape[1] - first_question) // 2
    end = first_question + 2 * num_pairs
    pairs = marks[:, first_question:end].unflatten(1, (num_pairs, 2))
    mirrored = pairs.sum(dim=2, keepdim=True).expand_as(pairs).flatten(1, 2)
    return torch.cat((marks[:, :first_question], mirrored, marks[:, end:]), dim=1)


def graphs_look_equal(
    graph_level: Float[Tensor, "batch graph d"],
) -> Bool[Tensor, " batch"]:
    """Return whether the two graphs of each pair are equal up to rounding errors."""
    difference = (graph_level[:, 0] - graph_level[:, 1]).abs().mean(dim=-1)
    return difference < EQUALITY_TOLERANCE
