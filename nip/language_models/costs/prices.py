"""Prices of tokens, by model.

``PUBLIC_PRICES`` is a snapshot of public price lists in US dollars per million tokens, without
discounts for batches or cached prompts. It is meant for estimates and budgets; the actual bill is
that of the service. User-defined prices take precedence.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.openai_address import address_of, is_openai

_MILLION = 1_000_000
_FINE_TUNED = "ft:"
# These providers run on the user's machine, even if the model has the name of a hosted one.
_FREE_PROVIDERS = frozenset({"local", "rehearsal", "scripted", "vllm"})
# The public prices are those of this provider at OpenAI's addresses. Another one, or a server of
# one's own, that has a model of the same name has prices of its own, which only the user knows.
_PUBLIC_PROVIDER = "openai"


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of one model in US dollars per million tokens."""

    prompt: float
    """Price of prompt tokens."""

    completion: float
    """Price of completion tokens."""

    training: float | None = None
    """Price of training tokens, counted once per epoch; None: not offered or unknown."""

    def __post_init__(self) -> None:
        for name in ("prompt", "completion", "training"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ParameterError(
                    f"The price {name} must be at least 0, got {value}. Give dollars per million "
                    "tokens."
                )

    def of(self, usage: TokenUsage) -> float:
        """Return the cost of some tokens in dollars."""
        dollars = usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion
        return dollars / _MILLION

    def of_training(self, num_tokens: int) -> float | None:
        """Return the cost of training on ``num_tokens`` in dollars; None if unknown."""
        return None if self.training is None else num_tokens * self.training / _MILLION


# The prefix "ft:" marks the prices of models fine-tuned from the base model that follows.
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
    """Price table of models.

    Parameters
    ----------
    own : Mapping[str, Price], optional
        User-defined prices by model name, which take precedence over the public ones. A dated name
        falls back to the undated one. The public ones apply only to the provider ``openai``, and
        not to a ``base_url``, or ``OPENAI_BASE_URL``, of another host.
    """

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        self._own = dict(own or {})
        self._found: dict[tuple[ModelSpec, str | None], Price | None] = {}

    def get(self, model: ModelSpec) -> Price | None:
        """Return the price of a model; None if it is unknown."""
        key = (model, model.fine_tuned_from)
        if key not in self._found:
            self._found[key] = self._look_up(model)
        return self._found[key]

    def _look_up(self, model: ModelSpec) -> Price | None:
        is_free = model.provider in _FREE_PROVIDERS
        is_public = model.provider.lower() == _PUBLIC_PROVIDER
        is_own = any(is_openai(address_of(each.base_url)) for each in model.of_replicas())
        public = PUBLIC_PRICES if is_public and is_own else {}
        for names in _names_by_priority(model):
            for table in (self._own, public):
                for name in names:
                    if name in table:
                        return table[name]
        return Price(0.0, 0.0) if is_free else None


def _names_by_priority(model: ModelSpec) -> Iterator[list[str]]:
    """Yield the names of a model itself, then those of what it was fine-tuned from.

    Services name fine-tuned models as they like, and the name must not decide about the price.
    """
    yield _names(model.model_name)
    if model.fine_tuned_from is not None:
        yield _names(f"{_FINE_TUNED}{model.fine_tuned_from.removeprefix(_FINE_TUNED)}")
        yield _names(model.fine_tuned_from)


def _names(model_name: str) -> list[str]:
    """Return the names to look up: the full name, without organisation and suffix, and undated."""
    names = [model_name]
    if model_name.startswith(_FINE_TUNED):
        names.append(":".join(model_name.split(":")[:2]))
    undated = _DATE.sub("", names[-1])
    return [*names, undated] if undated != names[-1] else names
