"""Reading the JSON that clients send."""

import json
from typing import Any

from starlette.requests import Request

from nip.language_models.server.errors import ApiError


def parse_json(content: bytes) -> Any:
    """Read JSON of which everything can be stored and sent on.

    Raises
    ------
    ValueError
        If it is none, is nested too deeply, or holds half a surrogate pair, which UTF-8 cannot.
    """
    try:
        tree = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if b"\\ud" in content.lower():
        json.dumps(tree, ensure_ascii=False).encode()
    return tree


async def read_json_object(request: Request) -> dict[str, Any]:
    """Read the body of a request that must be a JSON object.

    Raises
    ------
    ApiError
        If it is anything else.
    """
    try:
        body = parse_json(await request.body())
    except UnicodeEncodeError as error:
        raise ApiError(400, "The body holds half a surrogate pair, which is no text.") from error
    except ValueError as error:
        raise ApiError(400, f"The body is no JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object.")
    return body
