"""Faults that are refusals: what the endpoint says instead of an answer."""

from collections.abc import Callable
from functools import partial

from nip.language_models.server.errors import ApiError

_RATE_LIMIT_HEADERS = {"x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "0"}

_BROKEN = "The server had an error while processing your request."

_REFUSALS: dict[str, Callable[[], ApiError]] = {
    "authentication": partial(
        ApiError,
        401,
        "Incorrect API key provided.",
        kind="authentication_error",
        code="invalid_api_key",
    ),
    "create_refused": partial(ApiError, 500, _BROKEN, kind="server_error"),
    "overload": partial(
        ApiError,
        503,
        "The engine is currently overloaded, please try again later.",
        kind="server_error",
    ),
    "quota": partial(
        ApiError,
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        kind="insufficient_quota",
        code="insufficient_quota",
    ),
    "server_error": partial(ApiError, 500, _BROKEN, kind="server_error"),
}


def refusal(fault: str, retry_after_s: float = 0.0) -> ApiError | None:
    """Return how a request is refused that meets a fault; None if the fault is no refusal.

    Parameters
    ----------
    fault : str
        Name of the fault.
    retry_after_s : float
        Seconds after which a client that was told to slow down is to come back.
    """
    if fault == "rate_limit":
        return _rate_limit("retry-after", retry_after_s)
    if fault == "rate_limit_ms":
        return _rate_limit("retry-after-ms", 1000 * retry_after_s)
    make = _REFUSALS.get(fault)
    return None if make is None else make()


def server_error(message: str = _BROKEN) -> ApiError:
    """Refuse a request because the server broke."""
    return ApiError(500, message, kind="server_error")


def wrong_key() -> ApiError:
    """Refuse a request without the right key."""
    return _REFUSALS["authentication"]()


def _rate_limit(header: str, value: float) -> ApiError:
    return ApiError(
        429,
        "Rate limit reached for requests. Please slow down.",
        kind="requests",
        code="rate_limit_exceeded",
        headers={**_RATE_LIMIT_HEADERS, header: f"{value:g}"},
    )
