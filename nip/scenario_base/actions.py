"""Choosing messages and decisions from logits; log-probabilities and entropies of the choices."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nip.scenario_base.agent import AgentOutput


@dataclass(frozen=True)
class ActionMask:
    """Which actions of one agent take effect in a batch of states."""

    active: Bool[Tensor, "batch channel"]
    """Whether the agent writes on the channel."""

    decides: Bool[Tensor, " batch"]
    """Whether the agent's decision takes effect."""


@dataclass(frozen=True)
class Choice:
    """Actions that one agent chose in a batch of states."""

    message: Int[Tensor, "batch channel position"]
    """Chosen symbols."""

    decision: Int[Tensor, " batch"] | None
    """0 to reject, 1 to accept, 2 to continue; None for an agent that is not a verifier."""

    linear_message: Int[Tensor, "batch channel position"] | None
    """Chosen linear symbols; None without a linear message space."""


def choose(output: AgentOutput, generator: torch.Generator, *, greedy: bool) -> Choice:
    """Sample actions with a generator on the device of the logits, or take the most probable."""

    def draw(logits: Tensor) -> Tensor:
        if greedy:
            return logits.argmax(-1)
        # Gumbel-max: the largest of logits plus Gumbel noise has the softmax distribution.
        exponential = torch.empty_like(logits).exponential_(generator=generator)
        return (logits - exponential.log()).argmax(-1)

    decision, linear = output.decision_logits, output.linear_message_logits
    return Choice(
        message=draw(output.message_logits),
        decision=None if decision is None else draw(decision),
        linear_message=None if linear is None else draw(linear),
    )


def log_prob(output: AgentOutput, choice: Choice, mask: ActionMask) -> Float[Tensor, " batch"]:
    """Return the log-probability of the actions that take effect.

    These are the symbols on channels on which the agent writes, and its decision where
    ``mask.decides`` is true.
    """
    total = _chosen(output.message_logits, choice.message, mask.active)
    if output.linear_message_logits is not None and choice.linear_message is not None:
        total = total + _chosen(output.linear_message_logits, choice.linear_message, mask.active)
    if output.decision_logits is not None and choice.decision is not None:
        logs = output.decision_logits.log_softmax(-1)
        decided = logs.gather(-1, choice.decision.unsqueeze(-1)).squeeze(-1)
        total = total + decided * mask.decides
    return total


def entropy(output: AgentOutput, mask: ActionMask) -> Float[Tensor, " batch"]:
    """Return the entropy of the policy in nats, over the actions that take effect."""
    total = (categorical_entropy(output.message_logits).sum(-1) * mask.active).sum(-1)
    if output.linear_message_logits is not None:
        linear = categorical_entropy(output.linear_message_logits).sum(-1)
        total = total + (linear * mask.active).sum(-1)
    if output.decision_logits is not None:
        total = total + categorical_entropy(output.decision_logits) * mask.decides
    return total


def categorical_entropy(
    logits: Float[Tensor, "*batch symbol"],
) -> Float[Tensor, "*batch"]:
    """Return the entropy in nats over the last dimension."""
    logs = logits.log_softmax(-1)
    return -(logs.exp() * logs).sum(-1)


def _chosen(
    logits: Float[Tensor, "batch channel position symbol"],
    symbols: Int[Tensor, "batch channel position"],
    active: Bool[Tensor, "batch channel"],
) -> Float[Tensor, " batch"]:
    logs = logits.log_softmax(-1).gather(-1, symbols.unsqueeze(-1)).squeeze(-1)
    return (logs.sum(-1) * active).sum(-1)
