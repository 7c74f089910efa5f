"""How long texts are, in tokens, without a tokenizer: four for three words."""

from collections.abc import Iterable

from nip.language_models.chat import ChatMessage

TOKENS_PER_MESSAGE = 4
"""What marks the speaker and the ends of a message."""


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text."""
    return _tokens_of(len(text.split()))


def count_prompt_tokens(messages: Iterable[ChatMessage]) -> int:
    """Estimate the tokens of a conversation."""
    return sum(TOKENS_PER_MESSAGE + count_tokens(message["content"]) for message in messages)


def cut_to_tokens(text: str, max_tokens: int) -> str:
    """Return the beginning of a text that has at most so many tokens, by our own count."""
    num_words = max_tokens * 3 // 4
    words = text.split(None, num_words)
    if len(words) <= num_words:
        return text
    return text[: len(text) - len(words[-1])].rstrip()


def _tokens_of(num_words: int) -> int:
    return (4 * num_words + 2) // 3
