"""Writing several answers at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nip.language_models.chat import ChatMessage, Completion, FinishReason, Sampling, TokenUsage
from nip.language_models.errors import BadRequestError, OverloadError
from nip.language_models.local_model.folder import LoadedModel
from nip.language_models.local_model.prompt import encode_prompt
from nip.language_models.local_model.token_choice import TokenChoice

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_MAX_TOKENS = 512
"""Most tokens of an answer when the sampling sets no limit."""


@dataclass(frozen=True)
class Question:
    """A conversation that waits for its answer."""

    messages: Sequence[ChatMessage]
    """What was said so far."""

    sampling: Sampling
    """How the answer is drawn."""

    is_wanted: Callable[[], bool]
    """Whether anyone still waits; asked before every token."""


@dataclass(frozen=True)
class _Row:
    question: Question
    prompt: list[int]
    max_tokens: int


def answer_together(
    loaded: LoadedModel, questions: Sequence[Question], name: str
) -> list[Completion | BadRequestError]:
    """Write the answers to some questions as one batch.

    A row's random numbers are its own; its probabilities are those that it would have alone, up
    to rounding, because the others only make it longer by padding that is not attended to.

    Parameters
    ----------
    loaded : LoadedModel
        The model.
    questions : Sequence[Question]
        What to answer.
    name : str
        The model's name in the answers.

    Raises
    ------
    OverloadError
        If they do not fit into the memory of the device together.
    """
    import torch

    rows: list[_Row | BadRequestError] = [_prepare(loaded, each) for each in questions]
    accepted = [row for row in rows if isinstance(row, _Row)]
    try:
        written = iter(_generate(loaded, accepted) if accepted else [])
    except torch.OutOfMemoryError:
        raise OverloadError(
            f"{name}: {len(accepted)} answers at once do not fit into the memory of the device."
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
                f"The conversation has {len(prompt)} tokens, but the model reads at most "
                f"{loaded.context_length}. Shorten the messages, or take another model."
            )
        max_tokens = min(max_tokens, room)
    return _Row(question, prompt, max_tokens)


def _generate(loaded: LoadedModel, rows: Sequence[_Row]) -> list[list[int]]:
    """Return the tokens that the model writes for each row, with the one that ends it."""
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
            stopping_criteria=[_finish_rows(rows, length)],
        )
    written = output[:, length:].tolist()
    return [_up_to_the_end(loaded, row, tokens) for row, tokens in zip(rows, written, strict=True)]


def _force_choices(choose: TokenChoice) -> Callable[["Tensor", "Tensor"], "Tensor"]:
    """Make a greedy search take the tokens that were drawn."""
    import torch

    def process(_ids: "Tensor", scores: "Tensor") -> "Tensor":
        chosen = choose(scores)
        forced = torch.full_like(scores, -torch.inf)
        return forced.scatter(1, chosen[:, None], 0.0)

    return process


def _finish_rows(rows: Sequence[_Row], prompt_length: int) -> Callable[..., "Tensor"]:
    """End each row at its own limit, or as soon as nobody waits for it."""
    import torch

    def is_finished(ids: "Tensor", _scores: Any, **_: Any) -> "Tensor":
        num_written = ids.shape[1] - prompt_length
        finished = [num_written >= row.max_tokens or not row.question.is_wanted() for row in rows]
        return torch.tensor(finished, device=ids.device)

    return is_finished


def _up_to_the_end(loaded: LoadedModel, row: _Row, tokens: list[int]) -> list[int]:
    """Drop what was only written because other rows were longer."""
    tokens = tokens[: row.max_tokens]
    ends = (place for place, token in enumerate(tokens) if token in loaded.end_ids)
    return tokens[: next(ends, len(tokens)) + 1]


def _complete(loaded: LoadedModel, row: _Row, tokens: list[int], name: str) -> Completion:
    has_ended = bool(tokens) and tokens[-1] in loaded.end_ids
    finish_reason: FinishReason = "stop" if has_ended else "length"
    return Completion(
        text=loaded.tokenizer.decode(tokens, skip_special_tokens=True),
        finish_reason=finish_reason,
        usage=TokenUsage(len(row.prompt), len(tokens)),
        model=name,
    )
