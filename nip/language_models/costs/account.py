"""What one or several answers cost: tokens, reported dollars, and what is not certain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from nip.language_models.chat import TokenUsage
from nip.language_models.costs.prices import Price

NO_TOKENS = TokenUsage()

_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request cost."""

    usage: TokenUsage = NO_TOKENS
    """Tokens that are paid for."""

    reported_cost: float | None = None
    """Cost in dollars if the service reported it, else None: the tokens have the usual price."""

    is_estimated: bool = False
    """Whether the service did not report the tokens, so that they are estimated."""

    is_lost: bool = False
    """Whether no answer arrived, so that it is unknown what was charged beside ``usage``."""

    held: TokenUsage = NO_TOKENS
    """Tokens that may have been charged in addition; they only count against the budget."""


@dataclass(slots=True)
class Account:
    """Usage of one model by one agent.

    All counts are integers, so that sums do not depend on the order of the answers.
    """

    num_calls: int = 0
    """Paid answers."""

    prompt_tokens: int = 0
    """Prompt tokens of paid answers."""

    completion_tokens: int = 0
    """Completion tokens of paid answers."""

    num_cached_calls: int = 0
    """Answers from the response cache, which cost nothing."""

    cached_prompt_tokens: int = 0
    """Prompt tokens of cached answers."""

    cached_completion_tokens: int = 0
    """Completion tokens of cached answers."""

    num_estimated_calls: int = 0
    """Paid answers whose tokens the service did not report, so that they are estimated."""

    num_lost_calls: int = 0
    """Requests that may have been charged although no answer arrived; not in ``num_calls``."""

    held_prompt_tokens: int = 0
    """Prompt tokens that may have been charged in addition."""

    held_completion_tokens: int = 0
    """Completion tokens that may have been charged in addition."""

    reported_prompt_tokens: int = 0
    """Prompt tokens of answers whose cost the service reported."""

    reported_completion_tokens: int = 0
    """Completion tokens of answers whose cost the service reported."""

    reported_nanodollars: int = 0
    """The reported cost, in billionths of a dollar."""

    @property
    def usage(self) -> TokenUsage:
        """Paid tokens."""
        return TokenUsage(self.prompt_tokens, self.completion_tokens)

    @property
    def needs_price(self) -> bool:
        """Whether the cost of any tokens was not reported."""
        return self._unreported != NO_TOKENS or self._held != NO_TOKENS

    def cost(self, price: Price | None) -> float | None:
        """Return the cost in dollars; None if it depends on an unknown price."""
        if price is None and self._unreported != NO_TOKENS:
            return None
        priced = 0.0 if price is None else price.of(self._unreported)
        return priced + self.reported_nanodollars / _NANO

    def held_cost(self, price: Price | None) -> float:
        """Return the dollars that may have been charged in addition to ``cost``."""
        return 0.0 if price is None else price.of(self._held)

    def add(self, charge: Charge, is_cached: bool = False) -> None:
        """Count one answer."""
        usage = charge.usage
        if is_cached:
            self.num_cached_calls += 1
            self.cached_prompt_tokens += usage.prompt_tokens
            self.cached_completion_tokens += usage.completion_tokens
            return
        self.held_prompt_tokens += charge.held.prompt_tokens
        self.held_completion_tokens += charge.held.completion_tokens
        self.num_lost_calls += charge.is_lost
        self.num_calls += not charge.is_lost
        self.num_estimated_calls += charge.is_estimated
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        if charge.reported_cost is not None:
            self.reported_prompt_tokens += usage.prompt_tokens
            self.reported_completion_tokens += usage.completion_tokens
            self.reported_nanodollars += round(charge.reported_cost * _NANO)

    def add_all(self, other: "Account") -> None:
        """Add the counts of another account."""
        for name in Account.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def to_dict(self) -> dict[str, int]:
        """Return the counts as JSON-compatible data."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build an account from the result of ``to_dict``, also that of an earlier version."""
        return cls(**{name: int(data.get(name, 0)) for name in cls.__slots__})

    @property
    def _unreported(self) -> TokenUsage:
        return TokenUsage(
            self.prompt_tokens - self.reported_prompt_tokens,
            self.completion_tokens - self.reported_completion_tokens,
        )

    @property
    def _held(self) -> TokenUsage:
        return TokenUsage(self.held_prompt_tokens, self.held_completion_tokens)
