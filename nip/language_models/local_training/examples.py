"""Tokenise training examples as the provider ``local`` formats its prompts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nip.language_models.chat import ChatMessage
from nip.language_models.errors import BadRequestError, FineTuningDatasetError
from nip.language_models.local_model.prompt import encode_prompt, render


@dataclass(frozen=True)
class Example:
    """A conversation with a message that is learnt."""

    tokens: Sequence[int]
    """Tokens of prompt and message together."""

    start: int
    """Index of the first token that counts for the loss, at least 1."""


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a dataset in JSON lines.

    Raises
    ------
    FineTuningDatasetError
        If a line is no JSON object.
    """
    lines = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            content = json.loads(line)
        except ValueError as error:
            raise FineTuningDatasetError(f"Line {number} of {path} is no JSON: {error}.") from error
        if not isinstance(content, dict):
            raise FineTuningDatasetError(f"Line {number} of {path} must be an object.")
        lines.append(content)
    return lines


def supervised_example(tokenizer: Any, line: dict[str, Any], *, learns_prompt: bool) -> Example:
    """Tokenise a line of a supervised dataset; ``learns_prompt``: all tokens count for the loss."""
    *prompt, answer = _messages(line, "messages")
    example = _with_answer(tokenizer, prompt, answer["content"])
    return Example(example.tokens, 1) if learns_prompt else example


def preference_examples(tokenizer: Any, line: dict[str, Any]) -> tuple[Example, Example]:
    """Tokenise a line of a preference dataset: the preferred answer, and the other."""
    try:
        prompt = _messages(line["input"], "messages")
    except (KeyError, TypeError):
        raise _malformed("input") from None
    preferred, other = (
        _with_answer(tokenizer, prompt, _messages(line, name)[0]["content"])
        for name in ("preferred_output", "non_preferred_output")
    )
    return preferred, other


def response_example(tokenizer: Any, line: dict[str, Any]) -> Example:
    """Tokenise a line of a dataset for policy gradients."""
    try:
        prompt = _messages(line["input"], "messages")
    except (KeyError, TypeError):
        raise _malformed("input") from None
    text = _messages(line, "response")[0]["content"]
    return _with_answer(tokenizer, prompt, text, has_end=not line["is_cut"])


def _messages(line: dict[str, Any], name: str) -> list[ChatMessage]:
    messages = line.get(name)
    if (
        not isinstance(messages, list)
        or not messages
        or not all(
            isinstance(message, dict) and isinstance(message.get("content"), str)
            for message in messages
        )
    ):
        raise _malformed(name)
    return messages


def _malformed(name: str) -> FineTuningDatasetError:
    return FineTuningDatasetError(
        f"A line of the dataset has no list of messages under {name!r}. Use the format of "
        "nip.language_models.fine_tuning.supervised_dataset, preference_dataset or "
        "policy_gradient_dataset."
    )


def _with_answer(
    tokenizer: Any, prompt: Sequence[ChatMessage], answer: str, *, has_end: bool = True
) -> Example:
    """Return the tokens that generating the answer to a prompt would give, with its end if any.

    Prompt and answer are tokenised separately, as they are when the answer is generated.
    """
    try:
        start = encode_prompt(tokenizer, prompt)
    except BadRequestError as error:
        raise FineTuningDatasetError(str(error)) from error
    written = list(
        tokenizer(_as_written(tokenizer, prompt, answer), add_special_tokens=False)["input_ids"]
    )
    end = tokenizer.eos_token_id
    if end is not None:
        written = written[: written.index(end)] if end in written else written
        written = [*written, end] if has_end else written
    # Without a token before them, the first tokens could not be predicted.
    return Example([*start, *written], max(len(start), 1))


def _as_written(tokenizer: Any, prompt: Sequence[ChatMessage], answer: str) -> str:
    """Return the answer as the chat template formats it, after the start of the message."""
    if tokenizer.chat_template is None:
        return f" {answer}"
    before = render(tokenizer, prompt, is_prompt=True)
    message = ChatMessage(role="assistant", content=answer)
    whole = render(tokenizer, [*prompt, message], is_prompt=False)
    # Some templates, such as those that drop the reasoning of earlier messages, format a message
    # otherwise than they begin one.
    return whole[len(before) :] if whole and before and whole.startswith(before) else answer
