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

# Names in lower case. All others, of which services have several, mean that the model stopped by
# itself. Mistral has `model_length`, DeepSeek `insufficient_system_resource`, Z.ai `sensitive` and
# `network_error`; some gateways pass on the names of Google.
_CUT = ("length", "max_tokens", "max_output_tokens", "model_length")
_FILTERED = ("content_filter", "safety", "sensitive")
_BROKEN_OFF = ("insufficient_system_resource", "network_error")

# Fields with the reasoning: DeepSeek, vLLM and SGLang; OpenRouter, vLLM and Ollama; Ollama.
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_REASONING_PARTS = ("thinking", "reasoning", "redacted_thinking")


def read_completion(content: bytes, headers: Mapping[str, str], spec: ModelSpec) -> Completion:
    """Parse the body of a response with status 200.

    Raises
    ------
    MalformedAnswerError
        If it is not JSON, or has no choice with a message.
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
    name = str(reason).lower()
    if name in _BROKEN_OFF:
        raise MalformedAnswerError(f"{spec.model_name}: the service broke the answer off ({name}).")
    text, reasoning, refusal = _read_content(message, spec)
    if name in _FILTERED or (refusal and not text):
        raise ContentFilterError(f"{spec.model_name}: the service refused to answer.")
    finish_reason: FinishReason = "length" if name in _CUT else "stop"
    usage = read_usage(body, has_text=bool((text + reasoning).strip()))
    return Completion(
        text=text,
        reasoning=reasoning,
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


def _read_content(message: Mapping[str, Any], spec: ModelSpec) -> tuple[str, str, str]:
    """Return the text of a message, its reasoning, and its refusal.

    The content is a string or a list of parts. Null, or no content at all, is an empty text: a
    reasoning model may reach the token limit before its answer starts.
    """
    content = message.get("content")
    parts = [content] if isinstance(content, str | Mapping) else [] if content is None else content
    if not isinstance(parts, list):
        raise MalformedAnswerError(
            f"{spec.model_name}: the content of the answer must be a string or a list of parts, "
            f"got {type(content).__name__}."
        )
    read = [_read_part(part, spec) for part in parts]
    text, thoughts, refusal = (
        "".join(piece for kind, piece in read if kind == wanted)
        for wanted in ("text", "reasoning", "refusal")
    )
    return text, _read_reasoning(message) or thoughts, str(message.get("refusal") or refusal)


def _read_part(part: Any, spec: ModelSpec) -> tuple[str, str]:
    """Return the kind of a part of the content, and its text; unknown kinds are empty."""
    if isinstance(part, str):
        return "text", part
    if not isinstance(part, Mapping):
        raise MalformedAnswerError(
            f"{spec.model_name}: a part of the answer must be a string or an object, got "
            f"{type(part).__name__}."
        )
    kind = str(part.get("type") or "text")
    if kind in ("text", "output_text"):
        return "text", _text_of(part.get("text"))
    if kind == "refusal":
        return "refusal", _text_of(part.get("refusal"))
    if kind in _REASONING_PARTS:
        found = (part.get(name) for name in ("thinking", "reasoning", "text", "summary"))
        return "reasoning", next(filter(None, map(_text_of, found)), "")
    return "text", ""


def _read_reasoning(message: Mapping[str, Any]) -> str:
    """Return the reasoning from the field in which the service reports it."""
    for name in _REASONING_FIELDS:
        if found := _text_of(message.get(name)):
            return found
    return ""


def _text_of(value: Any) -> str:
    """Return the text in a string, or in an object or list of objects with texts."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return next(
            filter(None, (_text_of(value.get(name)) for name in ("text", "value", "summary"))), ""
        )
    if isinstance(value, list):
        return "".join(map(_text_of, value))
    return ""
