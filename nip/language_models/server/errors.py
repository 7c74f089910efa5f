"""Error responses of the mock API: OpenAI's error format, and responses that break in transit."""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import httpx2
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MAX_MESSAGE = 2000
"""Maximum length of an error message, which may repeat what a client has sent."""


class ApiError(Exception):
    """An error response with a status of 400 or above.

    ``kind`` is the field ``type`` of the body, ``param`` the name of an invalid parameter.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the response."""
        return {
            "error": {
                "message": self.message[:MAX_MESSAGE],
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def invalid(param: str, message: str) -> ApiError:
    """Return the error for an invalid parameter."""
    return ApiError(400, message, code="invalid_value", param=param)


def unknown_model(name: str) -> ApiError:
    """Return the error for a model that does not exist."""
    return ApiError(
        404,
        f"The model `{name}` does not exist or you do not have access to it.",
        code="model_not_found",
        param="model",
    )


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
    """Return the error response that a fault causes; None for faults of another kind.

    ``retry_after_s`` is the wait in seconds for which the header of rate limit errors asks.
    """
    if fault == "rate_limit":
        return _rate_limit("retry-after", exact_decimal(retry_after_s))
    if fault == "rate_limit_ms":
        return _rate_limit("retry-after-ms", exact_decimal(retry_after_s, 1000))
    make = _REFUSALS.get(fault)
    return None if make is None else make()


def server_error(message: str = _BROKEN) -> ApiError:
    """Return the error for an internal server error."""
    return ApiError(500, message, kind="server_error")


def wrong_key() -> ApiError:
    """Return the error for a missing or wrong API key."""
    return _REFUSALS["authentication"]()


def exact_decimal(value: float, factor: int = 1) -> str:
    """Write a number, times a factor, with all its digits and without an exponent."""
    return f"{(Decimal(repr(float(value))) * factor).normalize():f}"


def _rate_limit(header: str, value: str) -> ApiError:
    return ApiError(
        429,
        "Rate limit reached for requests. Please slow down.",
        kind="requests",
        code="rate_limit_exceeded",
        headers={"x-ratelimit-remaining-requests": "0", header: value},
    )


class CutConnectionError(httpx2.RemoteProtocolError):
    """Abort a response: uvicorn closes the connection, an in-process client gets this error."""


class CutResponse(Response):
    """Sends half of a response, then closes the connection."""

    def __init__(self, whole: Response) -> None:
        super().__init__(whole.body, whole.status_code)
        self.raw_headers = whole.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the first half of the body, then raise ``CutConnectionError``."""
        await _start(self, send)
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        raise CutConnectionError("The connection was cut in the middle of the response.")


class StalledResponse(Response):
    """Never sends a response.

    HTTP clients time out by themselves before the connection has been open for ``seconds``.
    In-process transports have no timeout, so they get a ``ReadTimeout`` after this time.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(b" ")
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait until the client disconnects, or raise a timeout."""
        try:
            async with asyncio.timeout(self._seconds):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            # Without response headers Starlette would send a response of status 500 itself.
            await _start(self, send)
            raise httpx2.ReadTimeout("No response arrived in time.") from None


def mangled(whole: Response) -> Response:
    """Return a response of status 200 whose body is the first half of the JSON."""
    body = bytes(whole.body)
    headers = {
        name: value for name, value in whole.headers.items() if name.lower() != "content-length"
    }
    return Response(body[: len(body) // 2], whole.status_code, headers)


async def _start(response: Response, send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": response.raw_headers,
        }
    )
