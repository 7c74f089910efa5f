"""A hand-written policy for graph isomorphism: ask about a node, answer with its counterpart.

The verifier asks about random nodes and colours each question and its answer alike. If the graphs
are isomorphic and the answers honest, the coloured graphs still look the same to it in the end;
then it accepts. The prover answers with the node of the other graph that looks most like the
one asked about. Nothing is learnt: the graph networks keep their random weights, which tell
apart whatever a trained network of their depth could.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nip.scenario_base.agent import ZeroValueHead
from nip.scenario_base.agents import (
    ILLEGAL_LOGIT,
    NUM_DECISIONS,
    AgentBody,
    AgentContext,
    PolicyHead,
)
from nip.scenarios.graph_isomorphism.body import graph_parameters
from nip.scenarios.graph_isomorphism.gin import Gin
from nip.scenarios.graph_isomorphism.legality import fill_illegal_nodes, last_marks

EQUALITY_TOLERANCE = 1e-9
"""Mean difference of the pooled graphs below which they count as equal, in double precision."""

REJECT, ACCEPT, CONTINUE = range(NUM_DECISIONS)


class ManualGraphIsomorphismBody(AgentBody):
    """A graph network with fixed random weights, in double precision.

    Isomorphic graphs then differ by 1e-14 at most, and others by far more than the tolerance
    unless they are equal to a network of this depth. This holds for tanh, so the agent's
    activation function is not asked for. Biases are random too, because nodes without features
    would all be alike if they were zero.

    Parameters
    ----------
    context : AgentContext
        What the agent knows about the experiment, which is played by the protocol nip with
        messages of one symbol.
    """

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = graph_parameters(context)
        self.gnn = Gin(
            context.num_rounds,
            params.d_gnn,
            params.d_gin_mlp,
            num_layers=params.num_gnn_layers,
            activation="tanh",
        ).double()
        self.requires_grad_(False)
        # The first round in which the verifier asks starts the first pair of question and answer.
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
        marks = mirror_answers(observation["x"].flatten(1, 3).double(), self.first_question)
        if self.context.is_prover:
            marks = torch.zeros_like(marks)
        features = marks.permute(0, 2, 3, 1)
        nodes = self.gnn(features, observation["adjacency"], observation["node_mask"])
        return {"node_level_repr": nodes, "graph_level_repr": nodes.sum(dim=-2)}


class ManualGraphIsomorphismPolicyHead(PolicyHead):
    """Plays the hand-written policy on a manual body.

    Parameters
    ----------
    context : AgentContext
        What the agent knows about the experiment.
    """

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        common = context.hyper_params.protocol_common
        self.helps_to_reject = common.shared_reward

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return logits which are 0 for what the policy may do and illegal for all else."""
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
        """Continue until the last round but one, then accept what looks isomorphic."""
        verdict = torch.where(looks_isomorphic, ACCEPT, REJECT)
        is_over = round_index >= self.context.num_rounds - 2
        decision = torch.where(is_over, verdict, CONTINUE)
        decisions = torch.arange(NUM_DECISIONS, device=decision.device)
        return (decisions != decision.unsqueeze(-1)) * ILLEGAL_LOGIT

    def _answers(
        self,
        node_level: Float[Tensor, "batch graph node d"],
        observation: Mapping[str, Tensor],
        logits: Float[Tensor, "batch 1 1 symbol"],
        looks_isomorphic: Bool[Tensor, " batch"],
    ) -> Float[Tensor, "batch 1 1 symbol"]:
        """Leave only the best answer legal wherever there is a question."""
        nodes = node_level.flatten(1, 2)
        marks = last_marks(observation["message"]).flatten(1)
        asked = torch.einsum("bs,bsd->bd", marks.to(nodes.dtype), nodes)
        distance = (nodes - asked.unsqueeze(1)).square().sum(dim=-1)
        if self.helps_to_reject:
            # A prover that is paid for the truth exposes a difference as clearly as it can.
            distance = torch.where(looks_isomorphic.unsqueeze(-1), distance, -distance)
        is_legal = logits.flatten(1) == 0
        best = distance.masked_fill(~is_legal, torch.inf).argmin(dim=-1, keepdim=True)
        is_best = torch.zeros_like(is_legal).scatter(1, best, value=True)
        has_question = marks.any(dim=-1, keepdim=True)
        worse = (has_question & ~is_best).view_as(logits)
        return logits.masked_fill(worse, ILLEGAL_LOGIT)


class ManualGraphIsomorphismValueHead(ZeroValueHead):
    """Expects nothing: the hand-written policy does not learn."""


def mirror_answers(
    marks: Float[Tensor, "batch round graph node"], first_question: int
) -> Float[Tensor, "batch round graph node"]:
    """Give each question and its answer the same colour: add each round to its partner.

    Parameters
    ----------
    marks : Tensor
        What was marked in each round.
    first_question : int
        Round of the first question; its answer follows, then the next question.
    """
    num_pairs = (marks.shape[1] - first_question) // 2
    end = first_question + 2 * num_pairs
    pairs = marks[:, first_question:end].unflatten(1, (num_pairs, 2))
    mirrored = pairs.sum(dim=2, keepdim=True).expand_as(pairs).flatten(1, 2)
    return torch.cat((marks[:, :first_question], mirrored, marks[:, end:]), dim=1)


def graphs_look_equal(
    graph_level: Float[Tensor, "batch graph d"],
) -> Bool[Tensor, " batch"]:
    """Return whether the two graphs of each pair are the same up to rounding."""
    difference = (graph_level[:, 0] - graph_level[:, 1]).abs().mean(dim=-1)
    return difference < EQUALITY_TOLERANCE
