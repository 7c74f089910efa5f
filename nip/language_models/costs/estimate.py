"""What a run will take, before it starts."""

from collections.abc import Iterable
from dataclasses import dataclass

from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.prices import Prices

# English text in the tokenizers of today.
TOKENS_PER_WORD = 4 / 3


@dataclass(frozen=True, slots=True)
class CallPlan:
    """The calls that one agent is going to make of one model."""

    agent: str
    """On whose account they go."""

    model: ModelSpec
    """The model that is asked."""

    num_calls: int
    """How many there are."""

    prompt_words: float
    """Words in a typical prompt, all earlier messages included."""

    answer_words: float
    """Words in a typical answer."""


@dataclass(frozen=True, slots=True)
class PlannedCost:
    """What the calls of one plan will take."""

    plan: CallPlan
    """The calls."""

    usage: TokenUsage
    """Tokens, all calls together."""

    cost: float | None
    """Dollars; None if the price of the model is not known."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What all planned calls will take together."""

    parts: tuple[PlannedCost, ...]
    """Each plan by itself."""

    @property
    def num_calls(self) -> int:
        """All calls."""
        return sum(part.plan.num_calls for part in self.parts)

    @property
    def usage(self) -> TokenUsage:
        """All tokens."""
        return sum((part.usage for part in self.parts), TokenUsage())

    @property
    def cost(self) -> float:
        """Dollars for the models whose price is known."""
        return sum(part.cost or 0.0 for part in self.parts)

    @property
    def models_without_price(self) -> list[ModelSpec]:
        """The models that ``cost`` leaves out, sorted."""
        return sorted({part.plan.model for part in self.parts if part.cost is None})


def estimate(plans: Iterable[CallPlan], prices: Prices | None = None) -> Estimate:
    """Work out tokens and costs from typical lengths.

    Answers that have to be asked for again are not counted, nor is what a service adds to prompts.
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
