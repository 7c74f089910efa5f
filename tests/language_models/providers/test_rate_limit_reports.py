"""A refusal with status 429 is judged by its fields before its words."""

from typing import Any

import pytest

from nip.language_models.errors import (
    BadRequestError,
    LanguageModelError,
    QuotaError,
    RateLimitError,
)
from tests.language_models.providers.canned_service import ask_canned

QUOTA_WORDS = "You exceeded your current quota, please check your plan and billing details."


def google(*details: dict[str, Any], message: str = QUOTA_WORDS) -> list[dict[str, Any]]:
    """Return the body of Google's interface, which wraps the error in a list."""
    error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED"}
    return [{"error": {**error, "details": list(details)}}]


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
VIOLATION = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerMinutePerProject", "quotaValue": "15"}],
}


def openai(message: str, code: str | None = "rate_limit_exceeded") -> dict[str, Any]:
    return {"error": {"message": message, "type": "tokens", "code": code}}


@pytest.mark.parametrize(
    ("body", "headers", "error_class", "seconds"),
    [
        (google(RETRY_INFO, VIOLATION), {}, RateLimitError, 34.5),
        (google({**RETRY_INFO, "retryDelay": {"seconds": 7}}), {}, RateLimitError, 7.0),
        (google()[0], {"retry-after": "3"}, RateLimitError, 3.0),
        # The header of the HTTP standard takes precedence.
        (google(RETRY_INFO), {"retry-after": "3"}, RateLimitError, 3.0),
        (google(), {}, QuotaError, None),
        # A limit of 0 never allows a request, whatever the wait.
        (
            google(RETRY_INFO, {**VIOLATION, "violations": [{"quotaValue": "0"}]}),
            {},
            QuotaError,
            34.5,
        ),
        (openai(QUOTA_WORDS, "insufficient_quota"), {"retry-after": "3"}, QuotaError, 3.0),
        (openai(QUOTA_WORDS), {}, RateLimitError, None),
        (
            openai("Request too large for m on tokens per min: Limit 30,000, Requested 50,000."),
            {"retry-after": "3"},
            BadRequestError,
            3.0,
        ),
        (
            # The request is too large for what is left of the minute, not for the limit.
            openai("Request too large for m: Limit 30000, Used 29000, Requested 5000."),
            {},
            RateLimitError,
            None,
        ),
        (openai("Request too large."), {}, BadRequestError, None),
        (openai("Request too large at the moment."), {"retry-after": "9"}, RateLimitError, 9.0),
        (
            openai("Slow down."),
            {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"},
            RateLimitError,
            360.0,
        ),
        (
            openai("Slow down."),
            {"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "6m0s"},
            RateLimitError,
            None,
        ),
        (b"<html>429 Too Many Requests</html>", {}, RateLimitError, None),
    ],
)
def test_the_fields_decide(
    body: Any,
    headers: dict[str, str],
    error_class: type[LanguageModelError],
    seconds: float | None,
) -> None:
    with pytest.raises(LanguageModelError) as caught:
        ask_canned(body, 429, headers)
    assert type(caught.value) is error_class
    assert caught.value.retry_after == seconds
