"""Parse JSON request bodies, and build paginated list responses."""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse

from nip.language_models.server.errors import ApiError, invalid


def parse_json(content: bytes) -> Any:
    """Parse JSON whose strings can all be encoded as UTF-8.

    Raise ``ValueError`` if it is invalid, nested too deeply, or has an unpaired surrogate.
    """
    try:
        tree = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if b"\\ud" in content.lower():
        json.dumps(tree, ensure_ascii=False).encode()
    return tree


async def read_json_object(request: Request) -> dict[str, Any]:
    """Parse the body of a request as a JSON object, or raise ``ApiError``."""
    try:
        body = parse_json(await request.body())
    except UnicodeEncodeError as error:
        raise ApiError(
            400, "The body contains an unpaired surrogate, which is not valid text."
        ) from error
    except ValueError as error:
        raise ApiError(400, f"The body is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object.")
    return body


T = TypeVar("T")


def page_of(
    items: Sequence[T],
    query: QueryParams,
    *,
    default_limit: int,
    max_limit: int,
    id_of: Callable[[T], str],
    show: Callable[[T], dict[str, Any]],
) -> JSONResponse:
    """Build the response for one page of a list, whose ``items`` are all in page order.

    ``limit`` and ``after`` of the query, the ID of the last item of the previous page, choose it;
    ``ApiError`` is raised if either is invalid. ``show`` returns the API object of an item.
    """
    limit = _read_limit(query.get("limit"), default_limit, max_limit)
    start = 0
    if (after := query.get("after")) is not None:
        names = [id_of(item) for item in items]
        if after not in names:
            raise invalid("after", f"No item with the ID {after!r} in this list.")
        start = names.index(after) + 1
    shown = [show(item) for item in items[start : start + limit]]
    return JSONResponse(
        {
            "object": "list",
            "data": shown,
            "has_more": start + limit < len(items),
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
        }
    )


def _read_limit(text: str | None, default: int, highest: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= highest):
        raise invalid("limit", f"limit must be a number from 1 to {highest}, got {text!r}.")
    return int(text)
