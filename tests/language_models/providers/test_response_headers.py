"""Durations and limits in headers are parsed in all known notations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.language_models.chat import RateLimitState
from nip.language_models.providers.response_headers import (
    read_duration,
    read_rate_limits,
    read_retry_after,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("1d", 86400.0),
        ("2.5", 2.5),
        ("-1", 0.0),
        ("", None),
        ("soon", None),
        ("1x", None),
        (None, None),
    ],
)
def test_a_duration_is_read(text: str | None, seconds: float | None) -> None:
    assert read_duration(text) == (None if seconds is None else pytest.approx(seconds))


def test_headers_without_limits_say_nothing() -> None:
    assert read_rate_limits({"content-type": "application/json"}) is None


def test_some_limits_may_be_missing() -> None:
    found = read_rate_limits({"x-ratelimit-remaining-tokens": "7"})
    assert found == RateLimitState(remaining_tokens=7)


@given(st.text())
def test_no_header_is_an_error(text: str) -> None:
    headers = {"retry-after": text, "date": text, "retry-after-ms": text}
    assert (read_retry_after(headers) or 0) >= 0
    read_rate_limits({"x-ratelimit-reset-tokens": text, "x-ratelimit-limit-tokens": text})
