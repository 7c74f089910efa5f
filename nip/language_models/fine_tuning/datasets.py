"""Fine-tuning examples as JSON lines.

Equal examples in equal order give equal bytes: no clock, no path, no order of a dictionary enters.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from nip.language_models.chat import ChatMessage, Role
from nip.language_models.fine_tuning.backend import FineTuningMethod
from nip.language_models.fine_tuning.errors import FineTuningDatasetError
from nip.utils.unicode_text import valid_unicode

_ROLES = get_args(Role)


@dataclass(frozen=True)
class Preference:
    """Two answers to one conversation, one better than the other."""

    conversation: Sequence[ChatMessage]
    """What was said before; ends with a message of someone else."""

    preferred: str
    """The better answer."""

    non_preferred: str
    """The worse answer."""


@dataclass(frozen=True)
class FineTuningDataset:
    """Examples, ready for upload."""

    method: FineTuningMethod
    """What the examples are for."""

    content: bytes
    """JSON lines in UTF-8."""

    num_examples: int
    """Number of lines."""

    num_unusable: int = 0
    """Examples that were left out because a message in them is empty."""

    @property
    def sha256(self) -> str:
        """Hex digest of the content."""
        return hashlib.sha256(self.content).hexdigest()


def supervised_dataset(conversations: Iterable[Sequence[ChatMessage]]) -> FineTuningDataset:
    """Make a dataset from which a model learns to say what it said.

    Parameters
    ----------
    conversations : Iterable[Sequence[ChatMessage]]
        Each as the agent saw it, ending with its own message. Those in which a message is empty are
        left out and counted: services refuse them.

    Raises
    ------
    FineTuningDatasetError
        If a conversation does not end with the assistant, or has a role that no service knows.
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
    """Make a dataset from which a model learns to prefer one answer over another.

    Parameters
    ----------
    preferences : Iterable[Preference]
        The pairs. Those in which a message is empty are left out and counted.

    Raises
    ------
    FineTuningDatasetError
        If a conversation is empty or ends with the assistant, or has a role that no service knows.
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


def _clean(conversation: Sequence[ChatMessage], number: int) -> list[dict[str, str]]:
    for message in conversation:
        if message["role"] not in _ROLES:
            raise FineTuningDatasetError(
                f"Example {number} has a message of the role {message['role']!r}. Use one of "
                f"{', '.join(_ROLES)}."
            )
    return [
        {"role": message["role"], "content": valid_unicode(message["content"])}
        for message in conversation
    ]


def _require_last(messages: list[dict[str, str]], number: int, is_assistant: bool) -> None:
    last = messages[-1]["role"] if messages else "nobody"
    if not messages or (last == "assistant") is not is_assistant:
        rule = "end with a message of" if is_assistant else "not end with, but wait for,"
        raise FineTuningDatasetError(
            f"The conversation of example {number} must {rule} the assistant; the last message is "
            f"by {last}."
        )


def _has_empty(messages: list[dict[str, str]]) -> bool:
    return any(not message["content"].strip() for message in messages)


def _to_bytes(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
