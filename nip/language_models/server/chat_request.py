"""Parse chat completion requests, and estimate their token counts."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast, get_args

from nip.language_models.chat import ChatMessage, Role, Sampling
from nip.language_models.server.errors import ApiError, invalid
from nip.language_models.server.models import identity_of

# Newer models call the role of the system message "developer".
_ROLE_NAMES = {"developer": "system"}
_MAX_CHOICES = 128


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

    is_streamed: bool = False
    """Whether to send server-sent events."""

    includes_usage: bool = True
    """Whether the last chunk of a stream contains the token usage."""

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> "ChatRequest":
        """Parse the JSON body of a request, or raise ``ApiError``."""
        is_streamed = bool(body.get("stream"))
        stream_options = body.get("stream_options") or {}
        if not isinstance(stream_options, dict):
            raise invalid("stream_options", "stream_options must be an object.")
        return cls(
            model=_read_model(body.get("model")),
            messages=_read_messages(body.get("messages")),
            sampling=_read_sampling(body),
            num_choices=_read_number(body, "n", int, 1, _MAX_CHOICES) or 1,
            is_streamed=is_streamed,
            includes_usage=not is_streamed or bool(stream_options.get("include_usage")),
        )

    def digest(self) -> bytes:
        """Return the SHA-256 of model, messages and sampling."""
        return chat_digest(self.model, self.messages, self.sampling, self.num_choices)

    def seed(self) -> int:
        """Return the client's seed, or one derived from the messages."""
        if self.sampling.seed is not None:
            return self.sampling.seed
        text = json.dumps(_plain(self.messages))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def chat_digest(
    model: str, messages: tuple[ChatMessage, ...], sampling: Sampling, num_choices: int = 1
) -> bytes:
    """Return the SHA-256 of a chat request; equal requests have equal digests."""
    content = [
        identity_of(model),
        _plain(messages),
        [sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.seed],
        num_choices,
    ]
    return hashlib.sha256(json.dumps(content).encode()).digest()


def _plain(messages: tuple[ChatMessage, ...]) -> list[list[str]]:
    return [[message["role"], message["content"]] for message in messages]


def _read_model(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ApiError(400, "You must provide a model parameter.", param="model")
    return value


def _read_messages(value: Any) -> tuple[ChatMessage, ...]:
    if not isinstance(value, list) or not value:
        raise invalid("messages", "messages must be a list of at least one message.")
    return tuple(_read_message(each, number) for number, each in enumerate(value))


def _read_message(value: Any, number: int) -> ChatMessage:
    at = f"messages[{number}]"
    if not isinstance(value, dict):
        raise invalid(at, f"{at} must be an object with role and content.")
    role = _ROLE_NAMES.get(str(value.get("role")), value.get("role"))
    if role not in get_args(Role):
        raise invalid(f"{at}.role", f"{at}.role must be one of system, user, assistant.")
    return ChatMessage(role=cast(Role, role), content=_read_content(value.get("content"), at))


def _read_content(value: Any, at: str) -> str:
    """Return a text; a list of text parts is concatenated."""
    parts = [{"type": "text", "text": value}] if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise invalid(f"{at}.content", f"{at}.content must be a string.")
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            raise invalid(f"{at}.content", f"{at}.content must contain only text parts.")
    return "".join(part["text"] for part in parts)


def _read_sampling(body: dict[str, Any]) -> Sampling:
    max_int = 2**31
    newer = _read_number(body, "max_completion_tokens", int, 1, max_int)
    older = _read_number(body, "max_tokens", int, 1, max_int)
    return Sampling(
        temperature=_read_number(body, "temperature", float, 0, 2),
        top_p=_read_number(body, "top_p", float, 0, 1),
        max_tokens=older if newer is None else newer,
        seed=_read_number(body, "seed", int, -(2**63), 2**63),
    )


def _read_number(
    body: dict[str, Any], name: str, kind: type[int] | type[float], least: float, most: float
) -> Any:
    value = body.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | kind) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        noun = "an integer" if kind is int else "a number"
        raise invalid(name, f"{name} must be {noun} from {least} to {most}, got {value!r}.")
    return kind(value)


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
