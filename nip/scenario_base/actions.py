"""Choosing messages and decisions from logits, and the probability of what was chosen."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nip.scenario_base.agent import AgentOutput


@dataclass(frozen=True)
class Turn:
    """What one agent may do in a batch of states."""

    active: Tensor
    """Whether it writes on a channel, (batch, channel)."""

    decides: Tensor
    """Whether its decision counts, (batch,)."""


@dataclass(frozen=True)
class Choice:
    """What one agent chose in a batch of states."""

    message: Tensor
    """Chosen symbols, (batch, channel, position)."""

    decision: Tensor | None
    """0 to reject, 1 to accept, 2 to continue, (batch,); None for an agent which cannot decide."""

    linear_message: Tensor | None
    """Chosen symbols of the plain message, (batch, channel, position)."""


def choose(output: AgentOutput, generator: torch.Generator, *, greedy: bool) -> Choice:
    """Sample from the policy, or take what is most probable.

    Parameters
    ----------
    output : AgentOutput
        Logits of a batch of states.
    generator : torch.Generator
        Source of randomness, on the device of the logits.
    greedy : bool
        Whether to take the most probable symbols.
    """

    def draw(logits: Tensor) -> Tensor:
        if greedy:
            return logits.argmax(-1)
        # Gumbel-max: the largest of logits plus Gumbel noise has the softmax distribution.
        waiting = torch.empty_like(logits).exponential_(generator=generator)
        return (logits - waiting.log()).argmax(-1)

    decision, linear = output.decision_logits, output.linear_message_logits
    return Choice(
        message=draw(output.message_logits),
        decision=None if decision is None else draw(decision),
        linear_message=None if linear is None else draw(linear),
    )


def log_prob(output: AgentOutput, choice: Choice, turn: Turn) -> Tensor:
    """Return the log-probability of a choice, (batch,).

    Only what counts is counted: symbols on channels where the agent is active, and its decision
    where it decides.
    """
    total = _chosen(output.message_logits, choice.message, turn.active)
    if output.linear_message_logits is not None and choice.linear_message is not None:
        total = total + _chosen(output.linear_message_logits, choice.linear_message, turn.active)
    if output.decision_logits is not None and choice.decision is not None:
        logs = output.decision_logits.log_softmax(-1)
        decided = logs.gather(-1, choice.decision.unsqueeze(-1)).squeeze(-1)
        total = total + decided * turn.decides
    return total


def entropy(output: AgentOutput, turn: Turn) -> Tensor:
    """Return the entropy of the policy in nats, (batch,), of what counts only."""
    total = (categorical_entropy(output.message_logits).sum(-1) * turn.active).sum(-1)
    if output.linear_message_logits is not None:
        linear = categorical_entropy(output.linear_message_logits).sum(-1)
        total = total + (linear * turn.active).sum(-1)
    if output.decision_logits is not None:
        total = total + categorical_entropy(output.decision_logits) * turn.decides
    return total


def categorical_entropy(logits: Tensor) -> Tensor:
    """Return the entropy in nats over the last dimension."""
    logs = logits.log_softmax(-1)
    return -(logs.exp() * logs).sum(-1)


def _chosen(logits: Tensor, symbols: Tensor, active: Tensor) -> Tensor:
    logs = logits.log_softmax(-1).gather(-1, symbols.unsqueeze(-1)).squeeze(-1)
    return (logs.sum(-1) * active).sum(-1)
