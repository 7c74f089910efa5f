"""Build fine-tuning datasets in JSON lines.

Equal examples in equal order give equal bytes, since job keys depend on the SHA-256 of the content.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from nip.language_models.chat import ChatMessage, Role
from nip.language_models.errors import FineTuningDatasetError
from nip.language_models.fine_tuning.backend import FineTuningMethod
from nip.utils.unicode_text import valid_unicode

_ROLES = get_args(Role)


@dataclass(frozen=True)
class Preference:
    """A preferred and a non-preferred answer to one conversation."""

    conversation: Sequence[ChatMessage]
    """The conversation before the answers; its last message is not the assistant's."""

    preferred: str
    """The preferred answer."""

    non_preferred: str
    """The non-preferred answer."""


@dataclass(frozen=True)
class ScoredResponse:
    """An answer that a model has written, with its advantage."""

    conversation: Sequence[ChatMessage]
    """The conversation before the answer; its last message is not the assistant's."""

    text: str
    """The answer."""

    advantage: float
    """How much better it was than expected; negative: worse."""

    temperature: float = 1.0
    """Temperature with which it was sampled."""

    is_cut: bool = False
    """Whether the token limit has cut it, so that it has no end."""

    policy: int = 0
    """Model that wrote it: 0 is the one that training starts from, other numbers count
    ``PolicyGradientOptions.earlier_models`` from 1."""


@dataclass(frozen=True)
class FineTuningDataset:
    """A serialised dataset, ready for upload."""

    method: FineTuningMethod
    """Fine-tuning method for which the examples are formatted."""

    content: bytes
    """JSON lines in UTF-8."""

    num_examples: int
    """Number of lines."""

    num_unusable: int = 0
    """Number of examples that were dropped because they contain an empty message."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the content in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def supervised_dataset(conversations: Iterable[Sequence[ChatMessage]]) -> FineTuningDataset:
    """Build a dataset for supervised fine-tuning.

    Parameters
    ----------
    conversations : Iterable[Sequence[ChatMessage]]
        Conversations that end with the target message of the assistant. Those with an empty message
        are dropped and counted, because services reject them.

    Raises
    ------
    FineTuningDatasetError
        If the last message of a conversation is not the assistant's, or a role is invalid.
    """
    examples: list[list[dict[str, str]]] = []
    num_unusable = 0
    for number, conversation in enumerate(conversations):
        messages = _clean(conversation, number)
        _require_last(messages, number, is_assistant=True)
        if _has_empty(messages):
            num_unusable += 1
        else:
            examples.append(messages)
    lines = [{"messages": messages} for messages in examples]
    return FineTuningDataset("supervised", _to_bytes(lines), len(lines), num_unusable)


def preference_dataset(preferences: Iterable[Preference]) -> FineTuningDataset:
    """Build a dataset for direct preference optimisation (DPO).

    Parameters
    ----------
    preferences : Iterable[Preference]
        The pairs of answers. Those with an empty message are dropped and counted.

    Raises
    ------
    FineTuningDatasetError
        If a conversation is empty, its last message is the assistant's, or a role is invalid.
    """
    lines: list[dict[str, Any]] = []
    num_unusable = 0
    for number, pair in enumerate(preferences):
        messages = _clean(pair.conversation, number)
        _require_last(messages, number, is_assistant=False)
        preferred = _clean([{"role": "assistant", "content": pair.preferred}], number)
        other = _clean([{"role": "assistant", "content": pair.non_preferred}], number)
        if _has_empty([*messages, *preferred, *other]):
            num_unusable += 1
            continue
        lines.append(
            {
                "input": {"messages": messages},
                "preferred_output": preferred,
                "non_preferred_output": other,
            }
        )
    return FineTuningDataset("dpo", _to_bytes(lines), len(lines), num_unusable)


def policy_gradient_dataset(responses: Iterable[ScoredResponse]) -> FineTuningDataset:
    """Build a dataset for policy gradients.

    Parameters
    ----------
    responses : Iterable[ScoredResponse]
        Answers with their advantages. Those with an empty message are dropped and counted.

    Raises
    ------
    FineTuningDatasetError
        If a conversation is empty, its last message is the assistant's, a role is invalid, an
        advantage is not finite, or a temperature is not positive.
    """
    lines: list[dict[str, Any]] = []
    num_unusable = 0
    for number, each in enumerate(responses):
        messages = _clean(each.conversation, number)
        _require_last(messages, number, is_assistant=False)
        response = _clean([{"role": "assistant", "content": each.text}], number)
        if not math.isfinite(each.advantage) or not each.temperature > 0:
            raise FineTuningDatasetError(
                f"Example {number} must have a finite advantage and a positive temperature, got "
                f"{each.advantage!r} and {each.temperature!r}."
            )
        if _has_empty([*messages, *response]):
            num_unusable += 1
            continue
        lines.append(
            {
                "input": {"messages": messages},
                "response": response,
                "advantage": each.advantage,
                "temperature": each.temperature,
                "is_cut": each.is_cut,
                "policy": each.policy,
            }
        )
    return FineTuningDataset("policy_gradient", _to_bytes(lines), len(lines), num_unusable)


def _clean(conversation: Sequence[ChatMessage], number: int) -> list[dict[str, str]]:
    for message in conversation:
        if message["role"] not in _ROLES:
            raise FineTuningDatasetError(
                f"Example {number} has a message with the role {message['role']!r}. Use one of "
                f"{', '.join(_ROLES)}."
            )
    return [
        {"role": message["role"], "content": valid_unicode(message["content"])}
        for message in conversation
    ]


def _require_last(messages: list[dict[str, str]], number: int, is_assistant: bool) -> None:
    last = messages[-1]["role"] if messages else None
    if not messages or (last == "assistant") is not is_assistant:
        rule = "end" if is_assistant else "not end"
        found = f"its last role is {last!r}" if messages else "it has no messages"
        raise FineTuningDatasetError(
            f"The conversation of example {number} must {rule} with a message of the assistant, "
            f"but {found}."
        )


def _has_empty(messages: list[dict[str, str]]) -> bool:
    return any(not message["content"].strip() for message in messages)


def _to_bytes(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
