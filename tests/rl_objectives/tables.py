"""Agents whose probabilities and values are numbers in a table, and minibatches written by hand."""

from collections.abc import Sequence

import torch
from tensordict import TensorDict
from torch import nn

from nip.protocols import build_protocol_handler
from nip.scenario_base.agent import Agent
from nip.scenario_base.agents import AgentBody, AgentContext, PolicyHead, ValueHead
from nip.scenario_base.combined_agents import CombinedAgents
from tests.experiments import make_params

PROVER, VERIFIER = 0, 1


class EmptyBody(AgentBody):
    def forward(self, observation):
        return {}


class TableHead(PolicyHead):
    """The same logits in every state: of one symbol out of two, and of the decision."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self.message = nn.Parameter(torch.zeros(2))
        self.decision = nn.Parameter(torch.zeros(3)) if context.is_decider else None

    def forward(self, representation, observation):
        batch = len(observation["message"])
        logits = {"message": self.message.expand(batch, 1, 1, 2)}
        if self.decision is not None:
            logits["decision"] = self.decision.expand(batch, 3)
        return logits


class TableValue(ValueHead):
    """The same value in every state."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self.value = nn.Parameter(torch.zeros(()))

    def forward(self, representation, observation):
        return self.value.expand(len(observation["message"]))


def table_agents(
    *,
    prover: Sequence[float] = (0.5, 0.5),
    verifier: Sequence[float] = (0.5, 0.5),
    decision: Sequence[float] = (1 / 3, 1 / 3, 1 / 3),
    values: Sequence[float] = (0.0, 0.0),
) -> CombinedAgents:
    """Return a prover and a verifier who play with the given probabilities."""
    hyper_params = make_params()
    handler = build_protocol_handler(hyper_params)
    agents = {}
    for name, message, value in zip(handler.agent_names, (prover, verifier), values, strict=True):
        context = AgentContext(hyper_params, hyper_params.agents[name], name, handler, (2,))
        head, value_head = TableHead(context), TableValue(context)
        with torch.no_grad():
            head.message.copy_(torch.tensor(message).log())
            value_head.value.fill_(value)
            if head.decision is not None:
                head.decision.copy_(torch.tensor(decision).log())
        agents[name] = Agent(
            context, body=EmptyBody(context), policy_head=head, value_head=value_head
        )
    return CombinedAgents(agents, "symbol")


def minibatch(
    agent: int,
    symbols: Sequence[int],
    *,
    decisions: Sequence[int] | None = None,
    extra_states: int = 0,
    **columns: Sequence[float],
) -> TensorDict:
    """Return frames in which one agent has its turn, and the other none.

    Parameters
    ----------
    agent : int
        Who has its turn.
    symbols : sequence of int
        What it said in each of its turns.
    decisions : sequence of int, optional
        What it decided in each of its turns; without them it decides nowhere.
    extra_states : int
        Rows at the end in which its value is known though it has no turn.
    **columns : sequence of float
        Its entries under ``agents``, one for each row.
    """
    rows = len(symbols) + extra_states
    is_turn = torch.arange(rows) < len(symbols)
    blank = torch.zeros(rows, 2)

    def column(values, fill=0.0):
        result = torch.full_like(blank, fill)
        result[: len(values), agent] = torch.tensor(values, dtype=torch.float)
        return result

    active = torch.zeros(rows, 2, 1, dtype=torch.bool)
    active[:, agent, 0] = is_turn
    known = torch.zeros(rows, 2, dtype=torch.bool)
    known[:, agent] = True
    decides = torch.zeros_like(known)
    decides[:, agent] = is_turn & (decisions is not None)
    agents = {
        "symbol": column(symbols).long().view(rows, 2, 1, 1),
        "decision": column(decisions or [], fill=2).long(),
        "active": active,
        "decides": decides,
        "value_known": known,
        **{name: column(values) for name, values in columns.items()},
    }
    return TensorDict(
        {"message": torch.zeros(rows, 1, 1, 2), "agents": TensorDict(agents, batch_size=[rows])},
        batch_size=[rows],
    )
