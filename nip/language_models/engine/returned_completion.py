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
    method = f"complete of the model provider {provider!r}"
    if not isinstance(value, Completion):
        raise ParameterError(
            f"{method} must return a Completion, got {shown(value)}. Return "
            f"{Completion.__module__}.Completion(...), with the text and the tokens of the answer."
        )
    usage = value.usage
    if not isinstance(usage, TokenUsage) or not all(
        isinstance(count, int) and count >= 0
        for count in (usage.prompt_tokens, usage.completion_tokens)
    ):
        raise ParameterError(
            f"{method} must return a Completion whose usage is a TokenUsage of whole numbers of at "
            f"least 0, got {shown(usage)}. If the service does not report tokens, give "
            "TokenUsage() and is_usage_known=False."
        )
    if value.finish_reason not in _FINISH_REASONS:
        raise ParameterError(
            f"{method} must return a Completion whose finish_reason is one of "
            f"{', '.join(map(repr, _FINISH_REASONS))}, got {shown(value.finish_reason)}."
        )
    return value
