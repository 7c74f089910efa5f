"""Estimates of calls, tokens and costs before a run starts."""

from collections.abc import Iterable
from dataclasses import dataclass

from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.prices import Prices

# Average for English text and current tokenizers.
TOKENS_PER_WORD = 4 / 3


@dataclass(frozen=True, slots=True)
class CallPlan:
    """The planned calls of one agent to one model."""

    agent: str
    """Name of the agent."""

    model: ModelSpec
    """Spec of the model."""

    num_calls: int
    """Number of calls."""

    prompt_words: float
    """Average words of a prompt, including all earlier messages."""

    answer_words: float
    """Average words of an answer."""


@dataclass(frozen=True, slots=True)
class PlannedCost:
    """Estimated tokens and cost of one plan."""

    plan: CallPlan
    """The planned calls."""

    usage: TokenUsage
    """Total tokens."""

    cost: float | None
    """Cost in dollars; None if the price of the model is unknown."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated tokens and costs of all plans."""

    parts: tuple[PlannedCost, ...]
    """Estimate of each plan."""

    @property
    def num_calls(self) -> int:
        """Total number of calls."""
        return sum(part.plan.num_calls for part in self.parts)

    @property
    def usage(self) -> TokenUsage:
        """Total tokens."""
        return sum((part.usage for part in self.parts), TokenUsage())

    @property
    def cost(self) -> float:
        """Total cost in dollars of the models with a known price."""
        return sum(part.cost or 0.0 for part in self.parts)

    @property
    def models_without_price(self) -> list[ModelSpec]:
        """Models whose cost is not included in ``cost``, sorted."""
        return sorted({part.plan.model for part in self.parts if part.cost is None})


def estimate(plans: Iterable[CallPlan], prices: Prices | None = None) -> Estimate:
    """Estimate tokens and costs from average lengths.

    Retries, and tokens that a service adds to prompts, are not included.
    """
    table = prices or Prices()
    parts = []
    for plan in plans:
        usage = TokenUsage(
            round(plan.num_calls * plan.prompt_words * TOKENS_PER_WORD),
            round(plan.num_calls * plan.answer_words * TOKENS_PER_WORD),
        )
        price = table.get(plan.model)
        parts.append(PlannedCost(plan, usage, None if price is None else price.of(usage)))
    return Estimate(tuple(parts))


@dataclass(frozen=True, slots=True)
class RunCost:
    """Estimated tokens and cost of a whole run, including fine-tuning."""

    usage: TokenUsage
    """Tokens of all calls."""

    sampling: float
    """Cost of all calls in dollars, as far as prices are known."""

    trained_tokens: int
    """Tokens of all fine-tuning jobs, in all epochs."""

    training: float
    """Cost of all fine-tuning jobs in dollars, as far as prices are known."""

    @property
    def total(self) -> float:
        """Cost in dollars."""
        return self.sampling + self.training
