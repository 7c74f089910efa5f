"""Scripts, styles and pictures of the pages, read once and kept by the browser.

Their addresses contain a digest of their content, so that a browser asks for each of them once and
never shows a page with those of another version.
"""

import hashlib
import mimetypes
from functools import cache
from importlib import resources
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_FOREVER = "public, max-age=31536000, immutable"
_DIGEST_LENGTH = 16


class StaticFile(NamedTuple):
    """One file that pages refer to."""

    content: bytes
    """Its content."""

    media_type: str
    """Its type, such as ``text/css``."""

    url: str
    """Its address, with the digest of its content."""


@cache
def static_files() -> dict[str, StaticFile]:
    """Return all files that pages refer to, by name."""
    found = {}
    for each in (resources.files("nip.viewer") / "static").iterdir():
        content = each.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH]
        media_type = mimetypes.guess_type(each.name)[0] or "application/octet-stream"
        found[each.name] = StaticFile(content, media_type, f"/static/{each.name}?v={digest}")
    return found


def static_url(name: str) -> str:
    """Return the address of a file for pages that refer to it."""
    return static_files()[name].url


def static_text(name: str) -> str:
    """Return the text of a file for pages that contain it."""
    return static_files()[name].content.decode()


async def send_static(request: Request) -> Response:
    """Return a file; answer 404 if there is none."""
    found = static_files().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404, f"There is no file {request.url.path}.")
    is_this_version = found.url == f"{request.url.path}?{request.url.query}"
    # Another version is asked for by a page that was opened before an update.
    headers = {"Cache-Control": _FOREVER} if is_this_version else None
    return Response(found.content, media_type=found.media_type, headers=headers)
