"""Translate errors of services and of the OpenAI SDK to the errors of this package.

Sources: OpenAI's guide to error codes, and the responses of vLLM, llama.cpp, Ollama, OpenRouter,
DeepSeek and Google's OpenAI-compatible interface.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx2
from openai import APIConnectionError, APIResponseValidationError, APIStatusError, APITimeoutError

from nip.language_models.chat import ModelSpec
from nip.language_models.errors import (
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    LanguageModelError,
    MalformedAnswerError,
    ModelConnectionError,
    ModelTimeoutError,
    OverloadError,
    QuotaError,
    RateLimitError,
    UnknownApiError,
    UnknownModelError,
)
from nip.language_models.providers.connection import (
    KEY_VARIABLE,
    find_address,
    owns_default_key,
)
from nip.language_models.providers.rate_limit_reports import (
    Meaning,
    meaning_of_429,
    seconds_until_retry,
)
from nip.language_models.providers.usage_reading import with_charge
from nip.utils.secrets import scrub
from nip.utils.unicode_text import visible

_ErrorClass = type[LanguageModelError]

# Values of `code` and `type`, which are more specific than the status.
_BY_CODE: dict[str, _ErrorClass] = {
    "insufficient_quota": QuotaError,
    "billing_hard_limit_reached": QuotaError,
    "billing_not_active": QuotaError,
    "insufficient_balance": QuotaError,
    "content_filter": ContentFilterError,
    "content_policy_violation": ContentFilterError,
    "responsibleaipolicyviolation": ContentFilterError,
    "invalid_prompt": ContentFilterError,
    "model_not_found": UnknownModelError,
    "invalid_model": UnknownModelError,
    "context_length_exceeded": BadRequestError,
    "string_above_max_length": BadRequestError,
    "invalid_api_key": AuthenticationError,
    "account_deactivated": AuthenticationError,
    "overloaded_error": OverloadError,
    "engine_overloaded": OverloadError,
}

# Parts of the message, for services without such codes.
_BY_WORDS: dict[tuple[int, str], _ErrorClass] = {
    (400, "api key not valid"): AuthenticationError,
    (400, "content management policy"): ContentFilterError,
    (403, "input was flagged"): ContentFilterError,
}

_BY_STATUS: dict[int, _ErrorClass] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: QuotaError,
    403: AuthenticationError,
    404: UnknownModelError,
    408: ModelTimeoutError,
    409: OverloadError,
    413: BadRequestError,
    422: BadRequestError,
    429: RateLimitError,
}

_BY_MEANING: dict[Meaning, _ErrorClass] = {
    "wait": RateLimitError,
    # A request above the whole limit per minute can never succeed, so do not retry it.
    "too_large": BadRequestError,
    "quota": QuotaError,
}

_NOT_CONNECTED = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.ProxyError,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)
"""Errors before a connection was there, so that the service has not seen the request."""

_TOO_LATE = (APITimeoutError, httpx2.TimeoutException, TimeoutError)
"""Errors of an answer that did not arrive in time; those of aiohttp are a ``TimeoutError``."""

_LATE_GATEWAYS = (504, 524)
"""Statuses of a gateway that did not wait for the service, which may finish and charge."""

_LONGEST_MESSAGE = 500


@dataclass(frozen=True)
class ServiceError:
    """An error as reported by a service."""

    status: int
    """HTTP status of the response, or the status given in its body."""

    codes: tuple[str, ...]
    """Values of ``code`` and ``type`` in lower case."""

    message: str
    """Human-readable message."""

    body: object = None
    """Parsed body of the response."""

    @classmethod
    def from_body(cls, status: int, body: object) -> "ServiceError":
        """Parse the body of an error response in any of the known formats."""
        whole = body
        if isinstance(body, list) and len(body) == 1:
            # Google's interface wraps the object in a list.
            body = body[0]
        if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping | str):
            body = body["error"]
        if not isinstance(body, Mapping):
            return cls(status, (), str(body or "").strip(), whole)
        codes = tuple(str(body[key]).lower() for key in ("code", "type") if body.get(key))
        message = body.get("message") or body.get("detail") or ""
        return cls(status, codes, str(message).strip(), whole)


def classify(error: ServiceError, headers: Mapping[str, str] | None = None) -> _ErrorClass:
    """Return the error class: by code, else by message, else by status."""
    if error.status == 429:
        meaning = meaning_of_429(error.codes, error.message, error.body, headers or {})
        if meaning != "wait" or not any(code in _BY_CODE for code in error.codes):
            return _BY_MEANING[meaning]
    for code in error.codes:
        if code in _BY_CODE:
            return _BY_CODE[code]
    for (status, words), error_class in _BY_WORDS.items():
        if error.status == status and words in error.message.lower():
            return error_class
    if error.status >= 500:
        return OverloadError
    return _BY_STATUS.get(error.status, UnknownApiError)


def describe_service_error(
    error: ServiceError, spec: ModelSpec, headers: Mapping[str, str]
) -> LanguageModelError:
    """Build the error for a report of a service, with advice where possible."""
    error_class = classify(error, headers)
    said = error.message or "without a message"
    text = f"The service refused ({error.status}): {_shorten(said, spec)}"
    seconds = seconds_until_retry(error.body, headers)
    refusal = error_class(_about(spec, text, error_class), retry_after=seconds)
    refusal.may_concern_content = error.status in (403, 404)
    if error.status in _LATE_GATEWAYS:
        refusal.is_charged = "unknown"
    return refusal


def translate_error(error: Exception, spec: ModelSpec) -> LanguageModelError:
    """Translate an exception of the SDK or of the connection.

    The original exception holds the request, which contains the API key. The result does not refer
    to it; raise the result outside of the ``except`` clause, so that Python does not chain them.
    """
    if isinstance(error, APIStatusError):
        reported = ServiceError.from_body(error.status_code, error.body)
        return describe_service_error(reported, spec, error.response.headers)
    cause = _cause(error)
    is_late = isinstance(error if cause is None else cause, _TOO_LATE)
    if is_late and not isinstance(cause, _NOT_CONNECTED):
        return _possibly_charged(ModelTimeoutError(_about(spec, "The request timed out.")))
    if isinstance(error, APIResponseValidationError | httpx2.DecodingError):
        return with_charge(
            MalformedAnswerError(_about(spec, "The response cannot be decoded.")), None
        )
    if isinstance(error, UnicodeEncodeError):
        return BadRequestError(_about(spec, f"A message is not valid Unicode: {error.reason}."))
    if isinstance(error, APIConnectionError | httpx2.HTTPError | OSError):
        reason = f"{type(cause).__name__}: {cause}" if cause is not None else str(error)
        text = f"The connection failed ({_shorten(reason, spec)})."
        lost = ModelConnectionError(_about(spec, text, ModelConnectionError))
        lost.is_unreachable = isinstance(cause, _NOT_CONNECTED)
        return lost if lost.is_unreachable else _possibly_charged(lost)
    text = f"The request failed ({type(error).__name__}: {_shorten(str(error), spec)})."
    return UnknownApiError(_about(spec, text))


def _cause(error: Exception) -> BaseException | None:
    """Return what the SDK, or its client on aiohttp, translated to one of its own exceptions.

    The client on aiohttp translates a connection that was lost to one that was not made in time.
    """
    cause = error.__cause__ if isinstance(error, APIConnectionError) else error
    if isinstance(cause, httpx2.HTTPError) and isinstance(cause.__cause__, aiohttp.ClientError):
        return cause.__cause__
    return cause


def _possibly_charged(error: LanguageModelError) -> LanguageModelError:
    """Note that the service may have charged for an answer that did not arrive."""
    error.is_charged = "unknown"
    return error


def _about(spec: ModelSpec, text: str, error_class: _ErrorClass | None = None) -> str:
    """Add model, base URL and advice to a text, and remove API keys."""
    address = "the mock API" if spec.provider.lower() == "rehearsal" else find_address(spec)
    ways_out: dict[Any, str] = {
        AuthenticationError: _advice_on_the_key(spec, address),
        QuotaError: "Add credit to the account or raise its limit, then resume the run.",
        UnknownModelError: "Check model_name, and that base_url ends where the service's "
        "interface begins, usually in /v1.",
        ModelConnectionError: "Check that the service is running and that base_url is its address.",
    }
    way_out = ways_out.get(error_class, "")
    return scrub(
        f"{spec.model_name} at {address}: {text} {way_out}".rstrip(), spec.api_key_variable
    )


def _advice_on_the_key(spec: ModelSpec, address: str) -> str:
    is_mocked = spec.provider.lower() == "rehearsal"
    if spec.api_key_variable is None and not is_mocked and not owns_default_key(address):
        return (
            f"No key was sent, because {KEY_VARIABLE} belongs to another host. Set "
            "api_key_variable to the environment variable with the key of this service, then "
            "resume the run."
        )
    variable = spec.api_key_variable or KEY_VARIABLE
    return f"Check the key in the environment variable {variable}, then resume the run."


def _shorten(text: str, spec: ModelSpec) -> str:
    """Shorten a text, which may be a page of HTML, without API keys and control characters."""
    text = visible(scrub(text, spec.api_key_variable))
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"
