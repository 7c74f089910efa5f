"""Choosing messages and decisions from logits; log-probabilities and entropies of the choices."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nip.native.action_statistics import Actions, action_statistics
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
    return action_statistics(_kinds(output, choice, mask), with_entropy=False)[0]


def log_prob_and_entropy(
    output: AgentOutput, choice: Choice, mask: ActionMask
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Return what ``log_prob`` and ``entropy`` return, with less work."""
    found = action_statistics(_kinds(output, choice, mask), with_entropy=True)
    log_prob_, entropy_ = found.unbind(0)
    return log_prob_, entropy_


def entropy(output: AgentOutput, mask: ActionMask) -> Float[Tensor, "*batch"]:
    """Return the entropy of the policy in nats, over the actions that take effect."""
    total = (categorical_entropy(output.message_logits).sum(-1) * mask.active).sum(-1)
    if output.linear_message_logits is not None:
        linear = categorical_entropy(output.linear_message_logits)
        total = total + (linear.sum(-1) * mask.active).sum(-1)
    if output.decision_logits is not None:
        total = total + categorical_entropy(output.decision_logits) * mask.decides
    return total


def categorical_entropy(
    logits: Float[Tensor, "*batch symbol"],
) -> Float[Tensor, "*batch"]:
    """Return the entropy in nats over the last dimension."""
    logs = logits.log_softmax(-1)
    return -(logs.exp() * logs).sum(-1)


def _kinds(output: AgentOutput, choice: Choice, mask: ActionMask) -> list[Actions]:
    """Return the actions of an agent, kind by kind."""
    kinds = [Actions(output.message_logits, choice.message, mask.active)]
    if output.linear_message_logits is not None and choice.linear_message is not None:
        kinds.append(Actions(output.linear_message_logits, choice.linear_message, mask.active))
    if output.decision_logits is not None and choice.decision is not None:
        # A decision is a symbol at the only position of one channel.
        logits = output.decision_logits[..., None, None, :]
        decision = choice.decision[..., None, None]
        kinds.append(Actions(logits, decision, mask.decides.unsqueeze(-1)))
    return kinds
