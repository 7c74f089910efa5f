import pytest

from nip.language_models.chat import RateLimitState
from nip.language_models.engine.rate_limiter import RateLimiter


def test_nothing_is_delayed_until_limits_are_known() -> None:
    limiter = RateLimiter()
    for _ in range(1000):
        assert limiter.delay(10**6, now=0.0) == 0.0
        limiter.take(10**6)
    assert not limiter.counts_tokens


def test_requests_refill_evenly_over_the_minute() -> None:
    limiter = RateLimiter()
    snapshot = limiter.take(0)
    limiter.observe(RateLimitState(remaining_requests=0, limit_requests=60), snapshot, now=10.0)
    # One request per second.
    assert limiter.delay(0, now=10.0) == pytest.approx(1.0)
    assert limiter.delay(0, now=10.4) == pytest.approx(0.6)
    assert limiter.delay(0, now=11.0) == pytest.approx(0.0)


def test_calls_sent_since_the_service_counted_are_counted_too() -> None:
    limiter = RateLimiter()
    snapshot = limiter.take(0)
    for _ in range(3):
        limiter.take(0)
    limiter.observe(RateLimitState(remaining_requests=4, limit_requests=60), snapshot, now=0.0)
    assert limiter.delay(0, now=0.0) == 0.0
    limiter.take(0)
    assert limiter.delay(0, now=0.0) == pytest.approx(1.0)


def test_tokens_hold_a_call_back_for_as_many_as_it_needs() -> None:
    limiter = RateLimiter()
    snapshot = limiter.take(0)
    limiter.observe(RateLimitState(remaining_tokens=100, limit_tokens=6000), snapshot, now=0.0)
    assert limiter.counts_tokens
    assert limiter.delay(100, now=0.0) == 0.0
    # 100 tokens come in every second.
    assert limiter.delay(300, now=0.0) == pytest.approx(2.0)


def test_a_call_larger_than_the_limit_goes_when_all_is_there() -> None:
    limiter = RateLimiter()
    snapshot = limiter.take(0)
    limiter.observe(RateLimitState(remaining_tokens=0, limit_tokens=6000), snapshot, now=0.0)
    assert limiter.delay(10**9, now=0.0) == pytest.approx(60.0)
    assert limiter.delay(10**9, now=60.0) == 0.0


def test_without_a_limit_the_time_of_the_reset_serves() -> None:
    limiter = RateLimiter()
    snapshot = limiter.take(0)
    limiter.observe(RateLimitState(remaining_requests=0, reset_requests_s=3.0), snapshot, now=0.0)
    assert limiter.delay(0, now=1.0) == pytest.approx(2.0)
    assert limiter.delay(0, now=3.0) == 0.0


@pytest.mark.parametrize(
    ("limit", "remaining", "reset_s", "seconds_each"),
    [
        # As OpenAI counts (500 in a minute), and as Groq does (14,400 in a day).
        (500, 0, 60.0, 0.12),
        (14_400, 0, 86_400.0, 6.0),
        # A limit that was hardly used tells its rate as well.
        (14_400, 14_370, 180.0, 6.0),
    ],
)
def test_the_time_until_all_is_allowed_tells_the_pace(
    limit: int, remaining: int, reset_s: float, seconds_each: float
) -> None:
    limiter = RateLimiter()
    state = RateLimitState(
        remaining_requests=remaining, limit_requests=limit, reset_requests_s=reset_s
    )
    limiter.observe(state, limiter.take(0), now=0.0)
    for _ in range(remaining):
        limiter.take(0)
    assert limiter.delay(0, now=0.0) == pytest.approx(seconds_each)
