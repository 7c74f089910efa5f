"""Batched generation of completions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nip.language_models.chat import (
    ChatMessage,
    Completion,
    FinishReason,
    Sampling,
    TokenUsage,
    cut_at_stop,
)
from nip.language_models.errors import BadRequestError, OverloadError
from nip.language_models.local_model.folder import LoadedModel
from nip.language_models.local_model.prompt import encode_prompt
from nip.language_models.local_model.token_choice import TokenChoice

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_MAX_TOKENS = 512
"""Default of ``Sampling.max_tokens``."""


@dataclass(frozen=True)
class Question:
    """A conversation to complete."""

    messages: Sequence[ChatMessage]
    """The conversation so far."""

    sampling: Sampling
    """Sampling parameters."""

    is_wanted: Callable[[], bool]
    """Whether the caller still waits; checked before every token."""


@dataclass(frozen=True)
class _Row:
    question: Question
    prompt: list[int]
    max_tokens: int


def answer_together(
    loaded: LoadedModel, questions: Sequence[Question], name: str
) -> list[Completion | BadRequestError]:
    """Generate the completions of several conversations as one batch; ``name`` is their model.

    Each row has its own random generator. Up to rounding, its probabilities do not depend on the
    other rows: these only add padding, which is masked out of the attention. Raise
    ``OverloadError`` if the batch does not fit into the memory of the device.
    """
    import torch

    rows: list[_Row | BadRequestError] = [_prepare(loaded, each) for each in questions]
    accepted = [row for row in rows if isinstance(row, _Row)]
    try:
        written = iter(_generate(loaded, accepted) if accepted else [])
    except torch.OutOfMemoryError:
        raise OverloadError(
            f"{name}: a batch of {len(accepted)} does not fit into the memory of the device. Lower "
            "max_concurrency."
        ) from None
    return [
        _complete(loaded, row, next(written), name) if isinstance(row, _Row) else row
        for row in rows
    ]


def _prepare(loaded: LoadedModel, question: Question) -> _Row | BadRequestError:
    try:
        prompt = encode_prompt(loaded.tokenizer, question.messages)
    except BadRequestError as error:
        return error
    max_tokens = question.sampling.max_tokens or DEFAULT_MAX_TOKENS
    if loaded.context_length is not None:
        room = loaded.context_length - len(prompt)
        if room < 1:
            return BadRequestError(
                f"The conversation has {len(prompt)} tokens, but the context length of the model "
                f"is {loaded.context_length}. Shorten the messages, or use another model."
            )
        max_tokens = min(max_tokens, room)
    return _Row(question, prompt, max_tokens)


def _generate(loaded: LoadedModel, rows: Sequence[_Row]) -> list[list[int]]:
    """Return the generated tokens of each row, including the end token."""
    import torch

    length = max(len(row.prompt) for row in rows)
    padding = [length - len(row.prompt) for row in rows]
    pad_id = loaded.tokenizer.pad_token_id
    device = loaded.model.device
    ids = [[pad_id] * pad + row.prompt for pad, row in zip(padding, rows, strict=True)]
    mask = [[0] * pad + [1] * len(row.prompt) for pad, row in zip(padding, rows, strict=True)]
    with torch.inference_mode():
        output = loaded.model.generate(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=torch.tensor(mask, device=device),
            max_new_tokens=max(row.max_tokens for row in rows),
            do_sample=False,
            logits_processor=[_force_choices(TokenChoice([row.question.sampling for row in rows]))],
            stopping_criteria=[_finish_rows(loaded, rows, length)],
        )
    written = output[:, length:].tolist()
    return [_up_to_the_end(loaded, row, tokens) for row, tokens in zip(rows, written, strict=True)]


def _force_choices(choose: TokenChoice) -> Callable[["Tensor", "Tensor"], "Tensor"]:
    """Return a logits processor that makes greedy search select the sampled tokens.

    ``generate`` has one random generator for the whole batch. Sampling in a processor instead keeps
    the draws of a row independent of the other rows.
    """
    import torch

    def process(_ids: "Tensor", scores: "Tensor") -> "Tensor":
        chosen = choose(scores)
        forced = torch.full_like(scores, -torch.inf)
        return forced.scatter(1, chosen[:, None], 0.0)

    return process


def _finish_rows(
    loaded: LoadedModel, rows: Sequence[_Row], prompt_length: int
) -> Callable[..., "Tensor"]:
    """Return a stopping criterion of each row.

    A row ends at its token limit, with a text before which it is to stop, or if its caller is gone.
    """
    import torch

    def is_finished(ids: "Tensor", _scores: Any, **_: Any) -> "Tensor":
        written = ids[:, prompt_length:]
        finished = [
            written.shape[1] >= row.max_tokens
            or not row.question.is_wanted()
            or (bool(row.question.sampling.stop) and _has_stop(loaded, row, tokens))
            for row, tokens in zip(rows, written, strict=True)
        ]
        return torch.tensor(finished, device=ids.device)

    return is_finished


def _has_stop(loaded: LoadedModel, row: _Row, tokens: "Tensor") -> bool:
    """Return whether the last tokens of a row contain a text before which it is to stop."""
    stop = row.question.sampling.stop
    # A character has at most four bytes, and a token at least one.
    num_last = 4 * max(map(len, stop)) + 4
    text = loaded.tokenizer.decode(tokens[-num_last:].tolist(), skip_special_tokens=True)
    return any(each in text for each in stop)


def _up_to_the_end(loaded: LoadedModel, row: _Row, tokens: list[int]) -> list[int]:
    """Cut a row at its own limit or end token; longer rows make ``generate`` go beyond it."""
    tokens = tokens[: row.max_tokens]
    ends = (place for place, token in enumerate(tokens) if token in loaded.end_ids)
    return tokens[: next(ends, len(tokens)) + 1]


def _complete(loaded: LoadedModel, row: _Row, tokens: list[int], name: str) -> Completion:
    has_ended = bool(tokens) and tokens[-1] in loaded.end_ids
    whole = loaded.tokenizer.decode(tokens, skip_special_tokens=True)
    text = cut_at_stop(whole, row.question.sampling.stop)
    finish_reason: FinishReason = "stop" if has_ended or text != whole else "length"
    return Completion(
        text=text,
        finish_reason=finish_reason,
        usage=TokenUsage(len(row.prompt), len(tokens)),
        model=name,
    )
