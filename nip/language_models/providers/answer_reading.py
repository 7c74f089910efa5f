"""Parse the body of a chat completion response into a ``Completion``.

The parser of the SDK is not used: it builds a tree of Pydantic models, which took a quarter of the
time of a benchmark with 200 concurrent calls, and it accepts malformed bodies.
"""

import json
from collections.abc import Mapping
from typing import Any

from nip.language_models.chat import Completion, FinishReason, ModelSpec, TokenUsage
from nip.language_models.errors import (
    ContentFilterError,
    LanguageModelError,
    MalformedAnswerError,
)
from nip.language_models.providers.error_translation import ServiceError, describe_service_error
from nip.language_models.providers.response_headers import read_rate_limits
from nip.language_models.providers.usage_reading import read_cost, read_usage, with_charge
from nip.utils.secrets import scrub

# All other values, of which services have several, mean that the model stopped by itself.
_FINISH_REASONS: dict[str, FinishReason] = {"length": "length", "max_tokens": "length"}


def read_completion(content: bytes, headers: Mapping[str, str], spec: ModelSpec) -> Completion:
    """Parse the body of a response with status 200.

    Raises
    ------
    MalformedAnswerError
        If it is not JSON, or has no choice or no text.
    ContentFilterError
        If a content filter or the model refused to answer.
    LanguageModelError
        If the body reports an error despite its status.

    All of them tell whether the answer was charged, and what it cost.
    """
    body = _parse_json(content)
    try:
        return _read_completion(content, body, headers, spec)
    except LanguageModelError as error:
        raise with_charge(error, body) from None


def _read_completion(
    content: bytes, body: Any, headers: Mapping[str, str], spec: ModelSpec
) -> Completion:
    body = _require_object(body, content, spec)
    choices = body.get("choices")
    if not choices and body.get("error"):
        raise _reported_error(body, headers, spec)
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        raise MalformedAnswerError(f"{spec.model_name}: the answer has no choices with a message.")
    reason = choice.get("finish_reason")
    if reason == "error" or choice.get("error"):
        # A gateway lost the connection to the model, and the message is incomplete.
        raise _reported_error(choice, headers, spec)
    if reason == "content_filter" or (message.get("refusal") and not message.get("content")):
        raise ContentFilterError(f"{spec.model_name}: the service refused to answer.")
    finish_reason = _FINISH_REASONS.get(str(reason), "stop")
    text = _read_text(message.get("content"), finish_reason, spec)
    usage = read_usage(body, has_text=bool(text.strip()))
    return Completion(
        text=text,
        finish_reason=finish_reason,
        usage=usage or TokenUsage(),
        model=str(body.get("model") or spec.model_name),
        rate_limits=read_rate_limits(headers),
        is_usage_known=usage is not None,
        reported_cost=read_cost(body),
    )


def _parse_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _require_object(body: Any, content: bytes, spec: ModelSpec) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        # A broken gateway may echo the whole request, including the API key.
        start = scrub(content[:1000].decode("utf-8", "replace"), spec.api_key_variable)
        raise MalformedAnswerError(
            f"{spec.model_name}: the response is not a JSON object; it starts with {start[:80]!r}."
        )
    return body


def _reported_error(
    body: Mapping[str, Any], headers: Mapping[str, str], spec: ModelSpec
) -> LanguageModelError:
    """Translate an error that was sent with status 200, as some gateways do."""
    error = body.get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    # Without a status in the body, 200 leads to `UnknownApiError`.
    status = code if isinstance(code, int) and 400 <= code < 600 else 200
    return describe_service_error(ServiceError.from_body(status, body), spec, headers)


def _read_text(content: Any, finish_reason: FinishReason, spec: ModelSpec) -> str:
    if content is None and finish_reason == "length":
        # A reasoning model may reach the token limit before its answer starts.
        return ""
    if not isinstance(content, str):
        raise MalformedAnswerError(
            f"{spec.model_name}: the content of the answer must be a string, got "
            f"{type(content).__name__}."
        )
    return content
