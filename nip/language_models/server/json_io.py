"""Parse JSON request bodies, and build paginated list responses."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse

from nip.language_models.server.errors import ApiError, invalid

MAX_DEPTH = 100
"""Maximum depth of JSON."""

_TOO_DEEP = f"it is nested too deeply: at most {MAX_DEPTH} levels are accepted"


def parse_json(content: bytes) -> Any:
    """Parse JSON that can be written again, with strings that can be encoded as UTF-8.

    Raise ``ValueError`` if it is invalid, nested too deeply, or has a number that is not finite or
    an unpaired surrogate.
    """
    # Given bytes, ``json.loads`` would let encoded surrogates pass.
    text = content.decode(json.detect_encoding(content))
    try:
        tree = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    _check_depth(tree)
    if "\\ud" in text.lower():
        json.dumps(tree, ensure_ascii=False).encode()
    return tree


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def _check_depth(tree: Any) -> None:
    """Refuse depths with which messages about the tree could not be written."""
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


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
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(highest))
    if not is_number or not 1 <= int(text) <= highest:
        raise invalid("limit", f"limit must be a number from 1 to {highest}, got {text!r}.")
    return int(text)
