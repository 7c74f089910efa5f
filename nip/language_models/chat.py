"""What is said to a language model, and what comes back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, TypedDict

from nip.utils.unicode_text import valid_unicode

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "content_filter"]


class ChatMessage(TypedDict):
    """One message of a conversation."""

    role: Role
    """Who speaks; the model that is asked is always the assistant."""

    content: str
    """What is said."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn; None leaves a choice to the service."""

    temperature: float | None = None
    """Softness of the distribution over tokens; 0 always takes the likeliest."""

    top_p: float | None = None
    """Share of the probability, from the likeliest token down, that is drawn from."""

    max_tokens: int | None = None
    """Most tokens of an answer; a longer one is cut."""

    seed: int | None = None
    """Makes an answer repeatable where the service can do that."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """How many tokens were read and written."""

    prompt_tokens: int = 0
    """Tokens read."""

    completion_tokens: int = 0
    """Tokens written."""

    @property
    def total_tokens(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class RateLimitState:
    """What a service says is left of its limits; None where it says nothing."""

    remaining_requests: int | None = None
    """Requests that may still be sent before the limit is reached."""

    remaining_tokens: int | None = None
    """Tokens that may still be used before the limit is reached."""

    limit_requests: int | None = None
    """Requests allowed in a minute, or in whatever time the service counts."""

    limit_tokens: int | None = None
    """Tokens allowed in a minute, or in whatever time the service counts."""

    reset_requests_s: float | None = None
    """Seconds until all requests are allowed again."""

    reset_tokens_s: float | None = None
    """Seconds until all tokens are allowed again."""


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer."""

    text: str
    """What the model wrote."""

    finish_reason: FinishReason
    """Why it stopped: by itself, at the token limit, or because a filter stepped in."""

    usage: TokenUsage
    """Tokens that it took."""

    model: str
    """The model that answered, as the service names it."""

    rate_limits: RateLimitState | None = None
    """What the service said about its limits."""

    def __post_init__(self) -> None:
        # Models write half a surrogate pair now and then, which no file or database takes.
        for name in ("text", "model"):
            value = getattr(self, name)
            if not value.isascii():
                object.__setattr__(self, name, valid_unicode(value))


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model is meant, and how to reach it. Equal ones share one limit of concurrency."""

    provider: str
    """Name of a registered provider."""

    model_name: str
    """Name of the model, as the provider knows it."""

    base_url: str | None = None
    """Address of the service; None: the provider's own."""

    api_key_variable: str | None = None
    """Environment variable that holds the key; None: the provider's usual one."""

    def _sort_key(self) -> tuple[str, ...]:
        return (
            self.provider,
            self.model_name,
            self.base_url or "",
            self.api_key_variable or "",
        )

    def __lt__(self, other: "ModelSpec") -> bool:
        return self._sort_key() < other._sort_key()

    def to_dict(self) -> dict[str, str | None]:
        """Return plain data that JSON can hold."""
        return {
            "provider": self.provider,
            "model_name": self.model_name,
            "base_url": self.base_url,
            "api_key_variable": self.api_key_variable,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` gave."""
        return cls(**data)


class ChatModel(ABC):
    """A language model that can be asked.

    Several calls may be under way at once, all on one event loop.
    """

    @property
    @abstractmethod
    def spec(self) -> ModelSpec:
        """Which model this is."""

    @property
    def address(self) -> str:
        """Where it is, which the spec may leave to the environment."""
        return self.spec.base_url or ""

    @abstractmethod
    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        """Ask once, without any retry.

        Raises
        ------
        LanguageModelError
            If no answer came; its class says what is to be done.
        """

    async def aclose(self) -> None:  # noqa: B027 - most models have nothing to close
        """Close connections."""
