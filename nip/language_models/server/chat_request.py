"""Parse chat completion requests, and estimate their token counts."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nip.language_models.chat import ChatMessage, Sampling
from nip.language_models.server.chat_fields import check_fields, read_flag, read_number, read_stop
from nip.language_models.server.errors import ApiError, invalid
from nip.language_models.server.messages import read_messages
from nip.language_models.server.model_names import identity_of

_MAX_CHOICES = 128
_MAX_INT = 2**31

REASONING_TOKENS = {
    "none": 0,
    "minimal": 16,
    "low": 64,
    "medium": 256,
    "high": 1024,
    "xhigh": 4096,
}
"""Tokens that the mock models pretend to use for reasoning, by ``reasoning_effort``."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A parsed chat completion request."""

    model: str
    """Name of the model."""

    messages: tuple[ChatMessage, ...]
    """The conversation so far."""

    sampling: Sampling
    """Sampling parameters."""

    num_choices: int = 1
    """Number of completions, the field ``n``."""

    stop: tuple[str, ...] = ()
    """Texts before which a completion ends."""

    reasoning_effort: str | None = None
    """Effort of reasoning before a completion."""

    is_streamed: bool = False
    """Whether to send server-sent events."""

    includes_usage: bool = True
    """Whether the last chunk of a stream contains the token usage."""

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> "ChatRequest":
        """Parse the JSON body of a request, or raise ``ApiError``.

        Every field is either honoured or refused, so that a rehearsal shows what a service would
        make of it.
        """
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise ApiError(400, "You must provide a model parameter.", param="model")
        check_fields(body)
        is_streamed = read_flag(body, "stream")
        return cls(
            model=model,
            messages=read_messages(body.get("messages")),
            sampling=_read_sampling(body),
            num_choices=read_number(body, "n", int, 1, _MAX_CHOICES) or 1,
            stop=read_stop(body.get("stop")),
            reasoning_effort=_read_effort(body.get("reasoning_effort")),
            is_streamed=is_streamed,
            includes_usage=not is_streamed or _wants_usage(body.get("stream_options")),
        )

    @property
    def num_reasoning_tokens(self) -> int:
        """Tokens that a completion uses for reasoning."""
        return REASONING_TOKENS[self.reasoning_effort or "none"]

    def digest(self) -> bytes:
        """Return the SHA-256 of everything that decides the completions."""
        return chat_digest(
            self.model,
            self.messages,
            self.sampling,
            self.num_choices,
            *([list(self.stop)] if self.stop else []),
            *([self.reasoning_effort] if self.reasoning_effort else []),
        )

    def seed(self) -> int:
        """Return the client's seed, or one derived from the messages."""
        if self.sampling.seed is not None:
            return self.sampling.seed
        text = json.dumps(_plain(self.messages))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def chat_digest(
    model: str,
    messages: tuple[ChatMessage, ...],
    sampling: Sampling,
    num_choices: int = 1,
    *more: Any,
) -> bytes:
    """Return the SHA-256 of a chat request; equal requests have equal digests."""
    content = [
        identity_of(model),
        _plain(messages),
        [sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.seed],
        num_choices,
        *more,
    ]
    return hashlib.sha256(json.dumps(content).encode()).digest()


def _plain(messages: tuple[ChatMessage, ...]) -> list[list[str]]:
    return [[message["role"], message["content"]] for message in messages]


def _read_sampling(body: dict[str, Any]) -> Sampling:
    newer = read_number(body, "max_completion_tokens", int, 1, _MAX_INT)
    older = read_number(body, "max_tokens", int, 1, _MAX_INT)
    if newer is not None and older is not None:
        raise invalid(
            "max_tokens",
            "max_tokens and max_completion_tokens must not both be set. Leave out max_tokens.",
        )
    return Sampling(
        temperature=read_number(body, "temperature", float, 0, 2),
        top_p=read_number(body, "top_p", float, 0, 1),
        max_tokens=older if newer is None else newer,
        seed=read_number(body, "seed", int, -(2**63), 2**63 - 1),
    )


def _read_effort(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or value not in REASONING_TOKENS):
        known = ", ".join(REASONING_TOKENS)
        raise invalid(
            "reasoning_effort", f"reasoning_effort must be one of {known}, got {value!r}."
        )
    return value


def _wants_usage(options: Any) -> bool:
    return read_flag(options or {}, "include_usage", "stream_options.include_usage")


TOKENS_PER_MESSAGE = 4
"""Estimated tokens that delimit a message and name its role."""


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text as four for every three words, rounded."""
    return _tokens_of(len(text.split()))


def count_prompt_tokens(messages: Iterable[ChatMessage]) -> int:
    """Estimate the prompt tokens of a conversation."""
    return sum(TOKENS_PER_MESSAGE + count_tokens(message["content"]) for message in messages)


def cut_to_tokens(text: str, max_tokens: int) -> str:
    """Return the longest prefix of a text with at most ``max_tokens`` estimated tokens."""
    num_words = max_tokens * 3 // 4
    words = text.split(None, num_words)
    if len(words) <= num_words:
        return text
    return text[: len(text) - len(words[-1])].rstrip()


def _tokens_of(num_words: int) -> int:
    return (4 * num_words + 2) // 3
