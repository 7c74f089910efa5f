"""What a refusal with status 429 means: a limit per time, a request above it, or an empty account.

The fields of the response are judged before its words, because some services use the words of an
empty account for any limit.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from nip.language_models.providers.response_headers import (
    read_duration,
    read_rate_limits,
    read_retry_after,
)

Meaning = Literal["wait", "too_large", "quota"]

_REQUESTED = re.compile(r"\blimit:?\s*([\d,]+)\b.*?\brequested:?\s*([\d,]+)", re.IGNORECASE | re.S)
_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
    }
)


def meaning_of_429(
    codes: tuple[str, ...], message: str, body: object, headers: Mapping[str, str]
) -> Meaning:
    """Return what a refusal with status 429 means.

    Parameters
    ----------
    codes : tuple of str
        Values of ``code`` and ``type`` in lower case.
    message : str
        Message of the service.
    body : object
        Parsed body of the response.
    headers : Mapping[str, str]
        Headers of the response.
    """
    amounts = _REQUESTED.search(message)
    if amounts is not None:
        limit, requested = (int(amount.replace(",", "")) for amount in amounts.groups())
        # A request above the whole limit never succeeds; one above the rest of it will later.
        return "too_large" if requested > limit else "wait"
    if any(code in _QUOTA_CODES for code in codes):
        return "quota"
    if _allows_nothing(body):
        return "quota"
    if seconds_until_retry(body, headers) is not None:
        return "wait"
    words = message.lower()
    if "request too large" in words:
        return "too_large"
    if "exceeded your current quota" in words and "rate_limit_exceeded" not in codes:
        return "quota"
    return "wait"


def seconds_until_retry(body: object, headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a service asks to wait; None if it names none.

    Sources, in this order: the headers ``retry-after(-ms)``, Google's ``RetryInfo`` in the body,
    and the header with the reset of an exhausted limit.
    """
    header = read_retry_after(headers)
    if header is not None:
        return header
    for detail in _details(body):
        if str(detail.get("@type", "")).endswith("RetryInfo"):
            seconds = _seconds(detail.get("retryDelay"))
            if seconds is not None:
                return seconds
    limits = read_rate_limits(headers)
    if limits is not None:
        resets = [
            reset
            for remaining, reset in (
                (limits.remaining_requests, limits.reset_requests_s),
                (limits.remaining_tokens, limits.reset_tokens_s),
            )
            if remaining == 0 and reset is not None
        ]
        if resets:
            return max(resets)
    return None


def _seconds(value: Any) -> float | None:
    if isinstance(value, Mapping):
        value = value.get("seconds")
    return None if value is None or isinstance(value, bool) else read_duration(str(value))


def _details(body: object) -> Iterator[Mapping[str, Any]]:
    """Yield the details of an error in the format of Google's interfaces."""
    for _ in range(2):
        if isinstance(body, list) and body:
            body = body[0]
        if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping | list):
            body = body["error"]
    details = body.get("details") if isinstance(body, Mapping) else None
    if isinstance(details, list):
        yield from (each for each in details if isinstance(each, Mapping))


def _allows_nothing(body: object) -> bool:
    """Tell whether a reported limit is 0, so that no request can ever succeed."""
    for detail in _details(body):
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            value = violation.get("quotaValue") if isinstance(violation, Mapping) else None
            if str(value) == "0":
                return True
    return False
