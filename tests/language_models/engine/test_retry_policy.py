import random

import pytest

from nip.language_models.engine.options import EngineOptions
from nip.language_models.engine.retry_policy import RetryPolicy
from nip.language_models.errors import (
    LanguageModelError,
    MalformedAnswerError,
    ModelConnectionError,
    ModelTimeoutError,
    OverloadError,
    RateLimitError,
    UnknownApiError,
)

OPTIONS = EngineOptions(
    num_timeouts=1,
    num_connection_errors=2,
    num_rate_limits=3,
    num_overloads=4,
    num_malformed_answers=5,
    num_unknown_errors=6,
    first_backoff_s=1.0,
    max_backoff_s=10.0,
)


def waits(error: LanguageModelError, options: EngineOptions = OPTIONS) -> list[float]:
    """Return all waits until retry_policy ends."""
    retry_policy = RetryPolicy(options, random.Random(0))
    found = []
    while (seconds := retry_policy.seconds_to_wait(error)) is not None:
        found.append(seconds)
    return found


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (ModelTimeoutError, 1),
        (ModelConnectionError, 2),
        (RateLimitError, 3),
        (OverloadError, 4),
        (MalformedAnswerError, 5),
        (UnknownApiError, 6),
    ],
)
def test_each_kind_of_error_has_its_own_number_of_retries(
    kind: type[LanguageModelError], number: int
) -> None:
    assert len(waits(kind("x"))) == number


def test_kinds_are_counted_apart() -> None:
    retry_policy = RetryPolicy(OPTIONS, random.Random(0))
    assert retry_policy.seconds_to_wait(ModelTimeoutError("x")) is not None
    assert retry_policy.seconds_to_wait(ModelTimeoutError("x")) is None
    assert retry_policy.seconds_to_wait(ModelConnectionError("x")) is not None


def test_waits_double_within_jitter_up_to_the_longest() -> None:
    found = waits(UnknownApiError("x"))
    for seconds, longest in zip(found, [1, 2, 4, 8, 10, 10], strict=True):
        assert longest / 2 <= seconds <= longest


def test_a_thousand_retries_do_not_overflow() -> None:
    assert max(waits(ModelTimeoutError("x"), EngineOptions(num_timeouts=2000))) <= 60.0


def test_all_calls_wait_as_long_as_the_service_requests() -> None:
    assert all(120.0 <= seconds <= 125.0 for seconds in waits(RateLimitError("x", retry_after=120)))
