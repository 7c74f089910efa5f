"""Parse response headers about retries and rate limits."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from nip.language_models.chat import RateLimitState

_SECONDS_OF = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|d|h|m|s))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait before a retry; None if the headers do not specify them.

    Supports ``retry-after-ms``, and ``retry-after`` with seconds or a date (RFC 9110, 10.2.3).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    date = _date(value)
    if date is None:
        return None
    # The clocks of both machines may differ, so compare with the date header of the response.
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (date - now).total_seconds())


def read_rate_limits(headers: Mapping[str, str]) -> RateLimitState | None:
    """Return the reported rate limits; None if there are none."""
    state = RateLimitState(
        remaining_requests=_count(headers.get("x-ratelimit-remaining-requests")),
        remaining_tokens=_count(headers.get("x-ratelimit-remaining-tokens")),
        limit_requests=_count(headers.get("x-ratelimit-limit-requests")),
        limit_tokens=_count(headers.get("x-ratelimit-limit-tokens")),
        reset_requests_s=read_duration(headers.get("x-ratelimit-reset-requests")),
        reset_tokens_s=read_duration(headers.get("x-ratelimit-reset-tokens")),
    )
    return None if state == RateLimitState() else state


def read_duration(text: str | None) -> float | None:
    """Parse a duration in seconds, such as ``6m0s``, ``1h2m3.5s``, ``20ms`` or ``2.5``."""
    if text is None:
        return None
    text = text.strip()
    if not _DURATION.fullmatch(text):
        return _number(text)
    return sum(float(number) * _SECONDS_OF[unit] for number, unit in _PART.findall(text))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None


def _count(text: str | None) -> int | None:
    value = _number(text)
    return None if value is None else int(value)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
