"""Choosing messages and decisions from logits; log-probabilities and entropies of the choices."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nip.scenario_base.agent import AgentOutput


@dataclass(frozen=True)
class ActionMask:
    """Which actions of one agent take effect in a batch of states."""

    active: Bool[Tensor, "*batch channel"]
    """Whether the agent writes on the channel."""

    decides: Bool[Tensor, "*batch"]
    """Whether the agent's decision takes effect."""


@dataclass(frozen=True)
class Choice:
    """Actions that one agent chose in a batch of states."""

    message: Int[Tensor, "*batch channel position"]
    """Chosen symbols."""

    decision: Int[Tensor, "*batch"] | None
    """0 to reject, 1 to accept, 2 to continue; None for an agent that is not a verifier."""

    linear_message: Int[Tensor, "*batch channel position"] | None
    """Chosen linear symbols; None without a linear message space."""


@dataclass(frozen=True)
class Noise:
    """Numbers of the standard exponential distribution, one for each logit of one agent."""

    message: Float[Tensor, "batch channel position symbol"]
    """For the symbols."""

    decision: Float[Tensor, "batch decision"] | None
    """For the decision; None for an agent that is not a verifier."""

    linear_message: Float[Tensor, "batch channel position linear_symbol"] | None
    """For the linear symbols; None without a linear message space."""


def draw_noise(
    message: Tensor, decision: Tensor | None, linear: Tensor | None, generator: torch.Generator
) -> Noise:
    """Draw noise of the shapes of the logits of one agent, on the device of the generator."""

    def draw(logits: Tensor | None) -> Tensor | None:
        if logits is None:
            return None
        return torch.empty_like(logits).exponential_(generator=generator)

    drawn = draw(message)
    assert drawn is not None
    return Noise(drawn, draw(decision), draw(linear))


def choose(output: AgentOutput, source: torch.Generator | Noise, *, greedy: bool) -> Choice:
    """Sample actions, or take the most probable ones.

    Parameters
    ----------
    output : AgentOutput
        The logits.
    source : torch.Generator or Noise
        Generator on the device of the logits, or noise drawn before.
    greedy : bool
        Whether to take the most probable actions.
    """
    logits = (output.message_logits, output.decision_logits, output.linear_message_logits)
    if greedy:
        message, decision, linear = (None if each is None else each.argmax(-1) for each in logits)
    else:
        noise = draw_noise(*logits, source) if isinstance(source, torch.Generator) else source
        drawn = (noise.message, noise.decision, noise.linear_message)
        message, decision, linear = map(_noisy_argmax, logits, drawn)
    assert message is not None
    return Choice(message, decision, linear)


def _noisy_argmax(logits: Tensor | None, exponential: Tensor | None) -> Tensor | None:
    """Return a sample of the softmax distribution: the largest of logits plus Gumbel noise."""
    if logits is None or exponential is None:
        return None
    return (logits - exponential.log()).argmax(-1)


def log_prob(output: AgentOutput, choice: Choice, mask: ActionMask) -> Float[Tensor, "*batch"]:
    """Return the log-probability of the actions that take effect.

    These are the symbols on channels on which the agent writes, and its decision where
    ``mask.decides`` is true.
    """
    return _chosen(_log_probs(output), choice, mask)


def entropy(output: AgentOutput, mask: ActionMask) -> Float[Tensor, "*batch"]:
    """Return the entropy of the policy in nats, over the actions that take effect."""
    return _entropy(_log_probs(output), mask)


def log_prob_and_entropy(
    output: AgentOutput, choice: Choice, mask: ActionMask
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Return what ``log_prob`` and ``entropy`` return, with less work."""
    logs = _log_probs(output)
    return _chosen(logs, choice, mask), _entropy(logs, mask)


def categorical_entropy(
    logits: Float[Tensor, "*batch symbol"],
) -> Float[Tensor, "*batch"]:
    """Return the entropy in nats over the last dimension."""
    return _mean_surprise(logits.log_softmax(-1), dims=(-1,))


class _LogProbs(NamedTuple):
    """Log-probabilities of all actions; None where there is no such action."""

    message: Float[Tensor, "*batch channel position symbol"]
    decision: Float[Tensor, "*batch decision"] | None
    linear_message: Float[Tensor, "*batch channel position linear_symbol"] | None


def _log_probs(output: AgentOutput) -> _LogProbs:
    decision, linear = output.decision_logits, output.linear_message_logits
    return _LogProbs(
        message=output.message_logits.log_softmax(-1),
        decision=None if decision is None else decision.log_softmax(-1),
        linear_message=None if linear is None else linear.log_softmax(-1),
    )


def _chosen(logs: _LogProbs, choice: Choice, mask: ActionMask) -> Float[Tensor, "*batch"]:
    total = _of_symbols(logs.message, choice.message, mask.active)
    if logs.linear_message is not None and choice.linear_message is not None:
        total = total + _of_symbols(logs.linear_message, choice.linear_message, mask.active)
    if logs.decision is not None and choice.decision is not None:
        decided = logs.decision.gather(-1, choice.decision.unsqueeze(-1)).squeeze(-1)
        total = total + decided * mask.decides
    return total


def _of_symbols(
    logs: Float[Tensor, "*batch channel position symbol"],
    symbols: Int[Tensor, "*batch channel position"],
    active: Bool[Tensor, "*batch channel"],
) -> Float[Tensor, "*batch"]:
    chosen = logs.gather(-1, symbols.unsqueeze(-1)).squeeze(-1)
    return (chosen.sum(-1) * active).sum(-1)


def _entropy(logs: _LogProbs, mask: ActionMask) -> Float[Tensor, "*batch"]:
    total = (_mean_surprise(logs.message, dims=(-2, -1)) * mask.active).sum(-1)
    if logs.linear_message is not None:
        linear = _mean_surprise(logs.linear_message, dims=(-2, -1))
        total = total + (linear * mask.active).sum(-1)
    if logs.decision is not None:
        total = total + _mean_surprise(logs.decision, dims=(-1,)) * mask.decides
    return total


def _mean_surprise(log_probs: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Return the entropy of the last dimension, summed over the others of ``dims``."""
    return -(log_probs.exp() * log_probs).sum(dims)
