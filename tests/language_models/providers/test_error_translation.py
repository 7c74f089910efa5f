"""Errors of services are translated to the error class that determines the reaction."""

import json
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import APITimeoutError

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
from nip.language_models.providers.answer_reading import read_completion
from nip.language_models.providers.error_translation import translate_error
from tests.language_models.providers.canned_service import ask_canned, chat_body

SPEC = ModelSpec("rehearsal", "m")


def openai_error(message: str, kind: str, code: str | None, param: str | None = None) -> dict:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


# Bodies as the services send them.
REFUSALS: dict[str, tuple[int, Any, type[LanguageModelError]]] = {
    "wrong key": (
        401,
        openai_error(
            "Incorrect API key provided: sk-ab****wxyz. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            "invalid_request_error",
            "invalid_api_key",
        ),
        AuthenticationError,
    ),
    "country": (
        403,
        openai_error(
            "Country, region, or territory not supported",
            "request_forbidden",
            "unsupported_country_region_territory",
        ),
        AuthenticationError,
    ),
    "wrong key at Google": (
        400,
        {"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}},
        AuthenticationError,
    ),
    "rate limit": (
        429,
        openai_error(
            "Rate limit reached for gpt-4o-mini in organization org-x on requests per min (RPM): "
            "Limit 3, Used 3, Requested 1. Please try again in 20s.",
            "requests",
            "rate_limit_exceeded",
        ),
        RateLimitError,
    ),
    "larger than the limit": (
        429,
        openai_error(
            "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit "
            "30000, Requested 50000.",
            "tokens",
            "rate_limit_exceeded",
        ),
        BadRequestError,
    ),
    "quota": (
        429,
        openai_error(
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            "insufficient_quota",
        ),
        QuotaError,
    ),
    "quota at DeepSeek": (
        402,
        openai_error("Insufficient Balance", "unknown_error", None),
        QuotaError,
    ),
    "model": (
        404,
        openai_error(
            "The model `gpt-9` does not exist or you do not have access to it.",
            "invalid_request_error",
            "model_not_found",
        ),
        UnknownModelError,
    ),
    "model at vLLM": (
        404,
        {"object": "error", "message": "The model `m` does not exist.", "code": 404},
        UnknownModelError,
    ),
    "wrong path": (404, {"detail": "Not Found"}, UnknownModelError),
    "too long": (
        400,
        openai_error(
            "This model's maximum context length is 128000 tokens.",
            "invalid_request_error",
            "context_length_exceeded",
            "messages",
        ),
        BadRequestError,
    ),
    "filter at Azure": (
        400,
        openai_error(
            "The response was filtered due to the prompt triggering Azure OpenAI's content "
            "management policy.",
            "invalid_request_error",
            "content_filter",
        ),
        ContentFilterError,
    ),
    "policy": (
        400,
        openai_error("Invalid prompt.", "invalid_request_error", "invalid_prompt"),
        ContentFilterError,
    ),
    "flagged at OpenRouter": (
        403,
        {"error": {"code": 403, "message": "Your input was flagged by moderation."}},
        ContentFilterError,
    ),
    "unprocessable": (422, {"detail": [{"loc": ["body"], "msg": "x"}]}, BadRequestError),
    "slow": (408, openai_error("Request timed out.", "server_error", None), ModelTimeoutError),
    "broken": (500, openai_error("The server had an error.", "server_error", None), OverloadError),
    "gateway": (502, b"<html><title>502 Bad Gateway</title></html>", OverloadError),
    "unavailable": (503, {"error": "overloaded"}, OverloadError),
    "overloaded": (
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        OverloadError,
    ),
    "teapot": (418, b"", UnknownApiError),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_has_its_own_error(name: str) -> None:
    status, body, error_class = REFUSALS[name]
    with pytest.raises(LanguageModelError) as caught:
        ask_canned(body, status)
    assert type(caught.value) is error_class
    assert caught.value.__context__ is None
    assert "sk-ab" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_delay_requested_by_the_service_is_used(
    headers: dict[str, str], seconds: float | None
) -> None:
    status, body, _ = REFUSALS["rate limit"]
    with pytest.raises(RateLimitError) as caught:
        ask_canned(body, status, headers)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("body", "error_class", "message"),
    [
        (b"", MalformedAnswerError, "not a JSON object; it starts with ''"),
        (b'{"choices": [{"mess', MalformedAnswerError, "not a JSON object"),
        (b"[1]", MalformedAnswerError, "not a JSON object"),
        (b"[" * 100_000, MalformedAnswerError, "not a JSON object"),
        ({"choices": []}, MalformedAnswerError, "no choices with a message"),
        ({"choices": [None]}, MalformedAnswerError, "no choices with a message"),
        ({"choices": "x"}, MalformedAnswerError, "no choices with a message"),
        ({"choices": [{"message": None}]}, MalformedAnswerError, "no choices with a message"),
        (chat_body(7), MalformedAnswerError, "must be a string or a list of parts, got int"),
        (chat_body("", finish_reason="content_filter"), ContentFilterError, "refused"),
        (
            chat_body(message={"content": None, "refusal": "I can't help."}),
            ContentFilterError,
            "refused",
        ),
        ({"error": {"message": "slow down", "code": 429}}, RateLimitError, "slow down"),
        ({"error": {"message": "what?"}}, UnknownApiError, "what?"),
    ],
)
def test_a_malformed_response_is_reported(
    body: object, error_class: type[LanguageModelError], message: str
) -> None:
    with pytest.raises(error_class, match=message):
        ask_canned(body)


def test_an_answer_at_the_limit_of_tokens_is_marked() -> None:
    assert ask_canned(chat_body("It", finish_reason="length")).finish_reason == "length"
    # All tokens went into reasoning.
    spent = ask_canned(chat_body(None, finish_reason="length"))
    assert (spent.text, spent.finish_reason) == ("", "length")


def test_an_answer_without_usage_counts_nothing() -> None:
    body = {**chat_body(), "usage": None, "model": None}
    assert ask_canned(body).usage.total_tokens == 0


def test_half_a_character_does_not_get_through() -> None:
    assert ask_canned(chat_body("a\ud83d b 😀")).text == "a\ufffd b 😀"


def nested(inner: st.SearchStrategy) -> st.SearchStrategy:
    names = ["choices", "message", "content", "error", "finish_reason", "usage"]
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), nested))
def test_no_body_raises_anything_else(body: object) -> None:
    with suppress(LanguageModelError):
        read_completion(json.dumps(body).encode(), {}, SPEC)


def test_an_unforeseen_error_is_unknown() -> None:
    assert type(translate_error(RuntimeError("?"), SPEC)) is UnknownApiError


def test_an_unreachable_service_is_no_timeout() -> None:
    error = APITimeoutError(httpx2.Request("POST", "http://localhost"))
    error.__cause__ = httpx2.ConnectTimeout("")
    assert type(translate_error(error, SPEC)) is ModelConnectionError
    error.__cause__ = httpx2.ReadTimeout("")
    assert type(translate_error(error, SPEC)) is ModelTimeoutError


@pytest.mark.parametrize(
    ("changes", "error_class"),
    [
        ({"finish_reason": "error"}, UnknownApiError),
        ({"finish_reason": "error", "error": {"code": 502, "message": "lost"}}, OverloadError),
        ({"finish_reason": None, "error": {"code": 429, "message": "slow down"}}, RateLimitError),
    ],
)
def test_an_answer_that_a_gateway_lost_half_way_is_none(
    changes: dict[str, Any], error_class: type[LanguageModelError]
) -> None:
    with pytest.raises(error_class):
        ask_canned(chat_body("The first half of", **changes))
