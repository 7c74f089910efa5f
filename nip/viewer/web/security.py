"""Protection of the local page from other pages in the same browser, and from what models wrote.

Any page of the internet can send requests to a port of this machine. It cannot read the answers,
unless its own host name is made to resolve to 127.0.0.1 (DNS rebinding); then the ``Host`` header
has that name. So requests to other hosts than this machine are refused.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Host names under which a browser on this machine reaches the page."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing inline is executed, and nothing is loaded from another host."""

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Headers of every response."""

_METHODS = ("GET", "HEAD")


class LocalOnly:
    """Middleware that answers only reading requests to this machine, and adds ``HEADERS``.

    Parameters
    ----------
    app : ASGIApp
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = _refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)


def _refusal(scope: Scope) -> PlainTextResponse | None:
    host = Headers(scope=scope).get("host", "")
    if host_name(host) not in LOCAL_HOSTS:
        return PlainTextResponse(
            "This page is shown only under the names 127.0.0.1, localhost and [::1].\n", 421
        )
    if scope["method"] not in _METHODS:
        return PlainTextResponse("The viewer only reads.\n", 405)
    return None


def host_name(host: str) -> str:
    """Return the host of a ``Host`` header without its port, in lower case."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
