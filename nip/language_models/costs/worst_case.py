"""Bounds and estimates of the tokens of a call, from its text."""

from collections.abc import Iterable

from nip.language_models.chat import ChatMessage, TokenUsage

TOKENS_PER_MESSAGE = 16
"""Bound of the tokens that delimit a message and name its role."""

UNLIMITED_COMPLETION_TOKENS = 16_384
"""Tokens that a call without a token limit is assumed to write at most."""

_CHARACTERS_PER_TOKEN = 4


def num_prompt_bytes(messages: Iterable[ChatMessage]) -> int:
    """Return the size of a prompt in bytes."""
    return sum(_num_bytes(each["content"]) for each in messages)


def _num_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def worst_case(messages: Iterable[ChatMessage], max_tokens: int | None) -> TokenUsage:
    """Return the most tokens that a call can use.

    Current tokenizers work on bytes, so a text has at most as many tokens as bytes in UTF-8.
    """
    listed = list(messages)
    prompt_tokens = num_prompt_bytes(listed) + TOKENS_PER_MESSAGE * (len(listed) + 1)
    return TokenUsage(prompt_tokens, max_tokens or UNLIMITED_COMPLETION_TOKENS)


def estimated_usage(messages: Iterable[ChatMessage], text: str) -> TokenUsage:
    """Estimate the tokens of a call whose service reported none, at four characters per token."""
    num_characters = sum(len(each["content"]) for each in messages)
    return TokenUsage(
        max(1, round(num_characters / _CHARACTERS_PER_TOKEN)),
        round(len(text) / _CHARACTERS_PER_TOKEN + 0.25),
    )
