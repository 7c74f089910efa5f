"""What tokens cost.

The table is a snapshot of public price lists in US dollars per million tokens, without discounts
for batches or cached prompts. It serves for estimates and budgets, not for the books: the bill is
the service's. Prices of one's own come first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec, TokenUsage

_MILLION = 1_000_000
# These run on the user's own machine or not at all, whatever model they are named after.
_FREE_PROVIDERS = frozenset({"local", "rehearsal", "scripted"})


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    prompt: float
    """Of the prompt."""

    completion: float
    """Of the answer."""

    training: float | None = None
    """Of a fine-tuning job, for every epoch; None: not offered or not known."""

    def __post_init__(self) -> None:
        for name in ("prompt", "completion", "training"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ParameterError(
                    f"A price cannot be negative, got {name}={value}. Give dollars per million "
                    "tokens, 0 or more."
                )

    def of(self, usage: TokenUsage) -> float:
        """Return the dollars that some tokens cost."""
        dollars = usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion
        return dollars / _MILLION

    def of_training(self, num_tokens: int) -> float | None:
        """Return the dollars that training on so many tokens costs; None if not known."""
        return None if self.training is None else num_tokens * self.training / _MILLION


# Names that begin with "ft:" are models fine-tuned from the one that follows.
PUBLIC_PRICES: Mapping[str, Price] = {
    "gpt-3.5-turbo": Price(0.50, 1.50, training=8.00),
    "gpt-4-turbo": Price(10.00, 30.00),
    "gpt-4.1": Price(2.00, 8.00, training=25.00),
    "gpt-4.1-mini": Price(0.40, 1.60, training=5.00),
    "gpt-4.1-nano": Price(0.10, 0.40, training=1.50),
    "gpt-4o": Price(2.50, 10.00, training=25.00),
    "gpt-4o-2024-05-13": Price(5.00, 15.00),
    "gpt-4o-mini": Price(0.15, 0.60, training=3.00),
    "gpt-5": Price(1.25, 10.00),
    "gpt-5-mini": Price(0.25, 2.00),
    "gpt-5-nano": Price(0.05, 0.40),
    "o1": Price(15.00, 60.00),
    "o3": Price(2.00, 8.00),
    "o3-mini": Price(1.10, 4.40),
    "o4-mini": Price(1.10, 4.40),
    "ft:gpt-3.5-turbo": Price(3.00, 6.00, training=8.00),
    "ft:gpt-4.1": Price(3.00, 12.00, training=25.00),
    "ft:gpt-4.1-mini": Price(0.80, 3.20, training=5.00),
    "ft:gpt-4.1-nano": Price(0.20, 0.80, training=1.50),
    "ft:gpt-4o": Price(3.75, 15.00, training=25.00),
    "ft:gpt-4o-mini": Price(0.30, 1.20, training=3.00),
}

_DATE = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4})$")


class Prices:
    """Looks prices up.

    Parameters
    ----------
    own : Mapping[str, Price], optional
        Prices by name of a model, which come before the public ones. A dated name falls back on the
        undated one.
    """

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        self._own = dict(own or {})
        self._found: dict[ModelSpec, Price | None] = {}

    def get(self, model: ModelSpec) -> Price | None:
        """Return the price of a model; None if nobody told it."""
        if model not in self._found:
            self._found[model] = self._look_up(model)
        return self._found[model]

    def _look_up(self, model: ModelSpec) -> Price | None:
        names = _names(model.model_name)
        is_free = model.provider in _FREE_PROVIDERS
        for table in (self._own, {} if is_free else PUBLIC_PRICES):
            for name in names:
                if name in table:
                    return table[name]
        return Price(0.0, 0.0) if is_free else None


def _names(model_name: str) -> list[str]:
    """Return the names to look for: as it is, without organisation and suffix, without the date."""
    names = [model_name]
    if model_name.startswith("ft:"):
        names.append(":".join(model_name.split(":")[:2]))
    undated = _DATE.sub("", names[-1])
    return [*names, undated] if undated != names[-1] else names
