"""Parse training files of fine-tuning jobs."""

from collections.abc import Sequence
from typing import Any

from nip.language_models.server.chat_request import ChatRequest, count_prompt_tokens, count_tokens
from nip.language_models.server.errors import ApiError
from nip.language_models.server.json_io import parse_json
from nip.language_models.server.mock_models.mock_model import TrainingExample

MIN_EXAMPLES = 10


class TrainingFileError(Exception):
    """Invalid training file; the message names the line and the reason."""


def read_examples(content: bytes, method: str) -> list[TrainingExample]:
    """Parse a training file with one JSON object per line, or raise ``TrainingFileError``.

    With the method ``supervised`` each line is ``{"messages": [...]}``, and the last message, the
    assistant's, is the target; with ``dpo``, it is ``{"input": {"messages": [...]},
    "preferred_output": [...], "non_preferred_output": [...]}``; with ``policy_gradient``, it is
    ``{"input": {"messages": [...]}, "response": [...], "advantage": ...}``. ``MIN_EXAMPLES`` are
    required.
    """
    read = _READERS[method]
    examples = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            examples.append(read(parse_json(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingFileError(
                f"Line {number} is not a valid {method} example: {error}."
            ) from error
        except ApiError as error:
            raise TrainingFileError(f"Line {number}: {error.message}") from error
    if len(examples) < MIN_EXAMPLES:
        raise TrainingFileError(
            f"The file has {len(examples)} examples; it must have at least {MIN_EXAMPLES}."
        )
    return examples


def count_example_tokens(examples: Sequence[TrainingExample]) -> int:
    """Estimate the tokens of all examples."""
    return sum(
        count_prompt_tokens(example.messages)
        + count_tokens(example.answer)
        + count_tokens(example.rejected or "")
        for example in examples
    )


def _read_supervised(line: Any) -> TrainingExample:
    messages = _messages(line["messages"])
    *conversation, last = messages
    if last["role"] != "assistant":
        raise ValueError("the role of the last message must be assistant")
    if not last["content"]:
        raise ValueError("the last message is empty")
    return TrainingExample(tuple(conversation), last["content"])


def _read_preference(line: Any) -> TrainingExample:
    if not isinstance(line["input"], dict):
        raise ValueError("input must be an object with the key messages")
    conversation = _messages(line["input"]["messages"])
    preferred = _only_answer(line["preferred_output"], "preferred_output")
    rejected = _only_answer(line["non_preferred_output"], "non_preferred_output")
    return TrainingExample(conversation, preferred, rejected)


def _read_response(line: Any) -> TrainingExample:
    if not isinstance(line["input"], dict):
        raise ValueError("input must be an object with the key messages")
    conversation = _messages(line["input"]["messages"])
    advantage = line["advantage"]
    if isinstance(advantage, bool) or not isinstance(advantage, int | float):
        raise ValueError(f"advantage must be a number, got {advantage!r}")
    answer = _only_answer(line["response"], "response")
    return TrainingExample(conversation, answer, advantage=float(advantage))


_READERS = {
    "supervised": _read_supervised,
    "dpo": _read_preference,
    "policy_gradient": _read_response,
}


def _only_answer(value: Any, name: str) -> str:
    messages = _messages(value)
    if len(messages) != 1 or messages[0]["role"] != "assistant" or not messages[0]["content"]:
        raise ValueError(f"{name} must contain exactly one non-empty assistant message")
    return messages[0]["content"]


def _messages(value: Any) -> tuple[Any, ...]:
    return ChatRequest.from_body({"model": "any", "messages": value}).messages
