"""Error responses have OpenAI's format, and broken responses break where they should."""

import asyncio

import httpx2
import pytest
from starlette.responses import JSONResponse, Response

from nip.language_models.server.errors import (
    CutConnectionError,
    CutResponse,
    StalledResponse,
    invalid,
    mangled,
    refusal,
)

WHOLE = JSONResponse({"a": 12}, headers={"x-request-id": "r1"})
"""Its body, `{"a":12}`, has 8 bytes."""


def send_all(response: Response, received: str) -> tuple[list[dict], Exception | None]:
    """Send a response to a client from which one kind of message comes; return what it got."""
    sent: list[dict] = []

    async def receive() -> dict:
        if received == "nothing":
            await asyncio.Event().wait()
        return {"type": received}

    async def send(message: dict) -> None:
        sent.append(message)

    try:
        asyncio.run(response({"type": "http"}, receive, send))
    except Exception as error:
        return sent, error
    return sent, None


def test_an_invalid_parameter_is_named_in_the_body() -> None:
    error = invalid("seed", "seed must be an integer.")
    assert error.status == 400
    assert error.body() == {
        "error": {
            "message": "seed must be an integer.",
            "type": "invalid_request_error",
            "param": "seed",
            "code": "invalid_value",
        }
    }


def test_only_faults_that_refuse_a_request_have_an_error() -> None:
    assert refusal("truncated") is None
    assert refusal("") is None
    first, second = refusal("quota"), refusal("quota")
    assert first is not None and first.body() == second.body()
    # Raising one error object in several requests would join their tracebacks.
    assert first is not second


def test_a_cut_response_promises_the_whole_body_and_sends_half() -> None:
    (start, half), error = send_all(CutResponse(WHOLE), "http.request")
    headers = dict(start["headers"])
    assert (headers[b"content-length"], headers[b"x-request-id"]) == (b"8", b"r1")
    assert half == {"type": "http.response.body", "body": b'{"a"', "more_body": True}
    assert isinstance(error, CutConnectionError)


def test_a_stalled_response_sends_nothing_to_a_client_that_leaves() -> None:
    assert send_all(StalledResponse(60.0), "http.disconnect") == ([], None)


def test_a_stalled_response_times_out_for_a_client_that_stays() -> None:
    sent, error = send_all(StalledResponse(0.01), "nothing")
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert isinstance(error, httpx2.ReadTimeout)


@pytest.mark.parametrize("status", [200, 201])
def test_a_mangled_response_is_complete_but_its_json_is_not(status: int) -> None:
    broken = mangled(JSONResponse({"a": 12}, status, headers={"x-request-id": "r1"}))
    assert (broken.status_code, broken.body) == (status, b'{"a"')
    assert broken.headers["content-length"] == "4"
    assert broken.headers["content-type"] == "application/json"
    assert broken.headers["x-request-id"] == "r1"
