"""Messages, sampling parameters, completions, and the base class of chat models."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, TypedDict

from nip.errors import ParameterError, shown
from nip.language_models.reasoning import split_reasoning
from nip.utils.unicode_text import valid_unicode

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "content_filter"]


class ChatMessage(TypedDict):
    """One message of a conversation."""

    role: Role
    """Role of the author; the called model is always the assistant."""

    content: str
    """Text of the message."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters; None leaves a parameter to the service."""

    temperature: float | None = None
    """Temperature of the token distribution; 0 selects the most likely token."""

    top_p: float | None = None
    """Nucleus sampling: probability mass of the most likely tokens that are sampled from."""

    max_tokens: int | None = None
    """Maximum number of tokens of a completion; a longer one is cut."""

    seed: int | None = None
    """Seed, for reproducible completions where the service supports it."""

    reasoning_effort: str | None = None
    """Effort of a reasoning model before its answer, such as ``low``."""

    extra_body: Mapping[str, Any] | None = None
    """Further fields of the request, which the service defines."""

    sends_seed: bool = True
    """Whether the seed is sent to a service. Some refuse requests with a seed."""

    token_limit_name: str | None = None
    """Name of the field with the token limit; None: the one that the service is known to use."""

    stop: tuple[str, ...] = ()
    """Texts before which a completion ends."""

    @property
    def extras(self) -> dict[str, Any]:
        """Parameters beyond temperature, top_p, token limit and seed that have been set."""
        values = {
            "reasoning_effort": self.reasoning_effort,
            "extra_body": dict(self.extra_body) if self.extra_body else None,
            "sends_seed": None if self.sends_seed else False,
            "token_limit_name": self.token_limit_name,
            "stop": list(self.stop) or None,
        }
        return {name: value for name, value in values.items() if value is not None}


def cut_at_stop(text: str, stop: Iterable[str]) -> str:
    """Return the text before the first of the texts at which it is to stop."""
    return text[: min((place for each in stop if (place := text.find(each)) >= 0), default=None)]


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Token counts of one or more calls."""

    prompt_tokens: int = 0
    """Tokens of the prompts."""

    completion_tokens: int = 0
    """Tokens of the completions."""

    @property
    def total_tokens(self) -> int:
        """Tokens of prompts and completions."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class RateLimitState:
    """Rate limits reported by a service; None for values that it does not report."""

    remaining_requests: int | None = None
    """Requests left before the limit is reached."""

    remaining_tokens: int | None = None
    """Tokens left before the limit is reached."""

    limit_requests: int | None = None
    """Requests allowed per period, usually a minute."""

    limit_tokens: int | None = None
    """Tokens allowed per period, usually a minute."""

    reset_requests_s: float | None = None
    """Seconds until the full number of requests is available again."""

    reset_tokens_s: float | None = None
    """Seconds until the full number of tokens is available again."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer of a model to one call."""

    text: str
    """The answer, without the reasoning before it."""

    finish_reason: FinishReason
    """Why the text ends: the model stopped, the token limit, or a content filter."""

    usage: TokenUsage
    """Tokens of the call."""

    model: str
    """Name of the model, as reported by the service."""

    rate_limits: RateLimitState | None = None
    """Rate limits reported with the response."""

    is_usage_known: bool = True
    """Whether the service reported ``usage``; otherwise the engine estimates it."""

    reported_cost: float | None = None
    """Cost in dollars as reported by the service; None: the tokens have the usual price."""

    reasoning: str = ""
    """Reasoning of the model before its answer, from its own field or from tags in the text."""

    def __post_init__(self) -> None:
        for name in ("text", "model", "reasoning"):
            if not isinstance(value := getattr(self, name), str):
                raise ParameterError(
                    f"The {name} of a Completion must be a string, got {shown(value)}. Give an "
                    'empty one ("") if there is none.'
                )
        text, reasoning = split_reasoning(self.text)
        if reasoning or text != self.text:
            object.__setattr__(self, "text", text)
            joined = "\n".join(filter(None, (self.reasoning, reasoning)))
            object.__setattr__(self, "reasoning", joined)
        # Models occasionally generate an unpaired surrogate, which cannot be encoded as UTF-8.
        for name in ("text", "model", "reasoning"):
            value = getattr(self, name)
            if not value.isascii():
                object.__setattr__(self, name, valid_unicode(value))

    def with_charge_of(self, earlier: "Completion") -> "Completion":
        """Return this completion with the tokens and the cost of an earlier one added.

        For a provider that sends several requests for one call.
        """
        costs = (earlier.reported_cost, self.reported_cost)
        return replace(
            self,
            usage=earlier.usage + self.usage,
            is_usage_known=earlier.is_usage_known and self.is_usage_known,
            reported_cost=None if costs[0] is None or costs[1] is None else costs[0] + costs[1],
        )


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Provider, name and address of a model. Calls with equal specs share one model queue."""

    provider: str
    """Name of a registered provider."""

    model_name: str
    """Name of the model at the provider."""

    base_url: str | tuple[str, ...] | None = None
    """Base URL of the service, or of each of its replicas; None: the provider's default."""

    api_key_variable: str | None = None
    """Environment variable with the API key; None: the provider's default."""

    fine_tuned_from: str | None = field(default=None, compare=False)
    """Name of the model that a fine-tuned one was trained from; it sets the price if the service
    chose a name without a price of its own."""

    def of_replicas(self) -> "tuple[ModelSpec, ...]":
        """Return a spec for each replica, with a single base URL."""
        if self.base_url is None or isinstance(self.base_url, str):
            return (self,)
        return tuple(replace(self, base_url=address) for address in self.base_url)

    def _sort_key(self) -> tuple[str, ...]:
        addresses = self.base_url if isinstance(self.base_url, tuple) else (self.base_url or "",)
        return (self.provider, self.model_name, *addresses, self.api_key_variable or "")

    def __lt__(self, other: "ModelSpec") -> bool:
        return self._sort_key() < other._sort_key()

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as JSON-compatible data."""
        return {
            "provider": self.provider,
            "model_name": self.model_name,
            "base_url": list(self.base_url) if isinstance(self.base_url, tuple) else self.base_url,
            "api_key_variable": self.api_key_variable,
            "fine_tuned_from": self.fine_tuned_from,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build a spec from the result of ``to_dict``."""
        base_url = data["base_url"]
        return cls(
            **{**data, "base_url": tuple(base_url) if isinstance(base_url, list) else base_url}
        )


class ChatModel(ABC):
    """Base class of chat models.

    Calls may run concurrently, all on one event loop.
    """

    @property
    @abstractmethod
    def spec(self) -> ModelSpec:
        """Spec of this model."""

    @property
    def address(self) -> str:
        """Base URL in use, which may come from the environment instead of the spec."""
        return " ".join(str(each.base_url or "") for each in self.spec.of_replicas())

    @abstractmethod
    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        """Generate one completion, without retries.

        Raises
        ------
        LanguageModelError
            If the call fails; the class of the error determines whether it is retried.
        """

    async def complete_turn(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        dialogue: str,
    ) -> Completion:
        """Generate one completion, as ``complete`` does, in a named dialogue.

        A model with several replicas sends all requests of a dialogue to the same one, which keeps
        what it has computed for their common beginning. An empty name is that of no dialogue.
        """
        return await self.complete(messages, sampling)

    async def aclose(self) -> None:  # noqa: B027 - most models have nothing to close
        """Close connections."""
