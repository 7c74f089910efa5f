"""Check what a model has returned, which may be the class of a plugin."""

from typing import Any, get_args

from nip.errors import ParameterError, shown
from nip.language_models.chat import Completion, FinishReason, TokenUsage

_FINISH_REASONS = get_args(FinishReason)


def returned_completion(provider: str, value: Any) -> Completion:
    """Return what ``complete`` of a model has returned.

    Raises
    ------
    ParameterError
        If it is no ``Completion``, or one without token counts or with an unknown finish reason.
    """
    if not isinstance(value, Completion):
        raise ParameterError(
            f"{_method(provider)} must return a Completion, got {shown(value)}. Return "
            f"{Completion.__module__}.Completion(...), with the text and the tokens of the answer."
        )
    if not _has_counts(value.usage):
        raise ParameterError(
            f"{_method(provider)} must return a Completion whose usage is a TokenUsage of whole "
            f"numbers of at least 0, got {shown(value.usage)}. If the service does not report "
            "tokens, give TokenUsage() and is_usage_known=False."
        )
    if value.finish_reason not in _FINISH_REASONS:
        raise ParameterError(
            f"{_method(provider)} must return a Completion whose finish_reason is one of "
            f"{', '.join(map(repr, _FINISH_REASONS))}, got {shown(value.finish_reason)}."
        )
    return value


def _has_counts(usage: Any) -> bool:
    """Return whether token counts are whole numbers of at least 0."""
    if not isinstance(usage, TokenUsage):
        return False
    read, written = usage.prompt_tokens, usage.completion_tokens
    return isinstance(read, int) and isinstance(written, int) and read >= 0 and written >= 0


def _method(provider: str) -> str:
    return f"complete of the model provider {provider!r}"
