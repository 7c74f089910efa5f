"""Long lists, given out page by page."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse

from nip.language_models.server.errors import invalid

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
    """Answer with the part of a list that the query asks for.

    Parameters
    ----------
    items : Sequence[T]
        The whole list, in the order of the pages.
    query : QueryParams
        May hold ``limit`` and, to go on, ``after``: the last item of the page before.
    default_limit, max_limit : int
        Length of a page.
    id_of : Callable[[T], str]
        Gives the name of an item.
    show : Callable[[T], dict[str, Any]]
        Gives what clients get to see of it.

    Raises
    ------
    ApiError
        If limit is no number in range, or nothing is called ``after``.
    """
    limit = _read_limit(query.get("limit"), default_limit, max_limit)
    start = 0
    if (after := query.get("after")) is not None:
        names = [id_of(item) for item in items]
        if after not in names:
            raise invalid("after", f"There is no {after!r} in this list.")
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
