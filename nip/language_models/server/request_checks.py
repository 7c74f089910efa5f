"""Limits of request bodies, and protection against web pages."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import Message

from nip.language_models.server.errors import ApiError

MAX_BODY = 32 * 2**20
"""Maximum size of a JSON body in bytes."""

MAX_UPLOAD = 512 * 2**20
"""Maximum size of an upload in bytes, as at OpenAI."""

JSON_TYPE = "application/json"


def limit_body(request: Request, max_bytes: int) -> Request:
    """Return the request with a body that raises ``ApiError`` beyond a size.

    The header ``Content-Length`` is checked here; without it, as for a chunked body, the bytes are
    counted while they are read.
    """
    stated = request.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and int(stated[:20]) > max_bytes:
        raise _too_large(max_bytes)
    num_bytes = 0

    async def receive() -> Message:
        nonlocal num_bytes
        message = await request.receive()
        num_bytes += len(message.get("body", b""))
        if num_bytes > max_bytes:
            raise _too_large(max_bytes)
        return message

    return Request(request.scope, receive)


def check_admin_request(request: Request) -> None:
    """Raise ``ApiError`` for a body that is not marked as JSON.

    A web page can make a browser send a body to any address, but without the consent of the server
    not one of type JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind != JSON_TYPE:
        raise ApiError(415, f"The admin interface needs Content-Type: {JSON_TYPE}, got {kind!r}.")


def check_host(request: Request, hosts: Collection[str] | None) -> None:
    """Raise ``ApiError`` for a request to a name that the server does not have.

    A web page can let the name of its own server stand for this machine (DNS rebinding), but has
    that name in the header ``Host`` then.

    Parameters
    ----------
    request : Request
        The request.
    hosts : collection of str, optional
        Names under which the server is known, besides ``localhost`` and addresses; None: any name,
        for an application that no network reaches.
    """
    host = _host_name(request.headers.get("host", ""))
    if not _is_known(host, hosts):
        raise ApiError(
            403,
            f"The mock API does not know the host {host!r}. Use an address, localhost, or the name "
            "given with --host.",
        )


def check_origin(request: Request, hosts: Collection[str] | None) -> None:
    """Raise ``ApiError`` for a request that a web page of another server sends.

    Browsers name the server of the page in the header ``Origin``. They do not show the response to
    the page, but would send the request, which may upload files or cancel jobs.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        host = ""
    if not _is_known(host, hosts):
        raise ApiError(403, f"The mock API serves no web pages, but got Origin: {origin[:200]}.")


def _is_known(host: str, hosts: Collection[str] | None) -> bool:
    return hosts is None or host in ("localhost", *hosts) or _is_address(host)


def _host_name(header: str) -> str:
    """Return the host without its port."""
    if header.startswith("["):
        return header.partition("]")[0].removeprefix("[")
    return header.rpartition(":")[0].lower() if ":" in header else header.lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(413, f"The body is too large: at most {max_bytes} bytes are accepted.")
