"""JSON bodies are validated, and lists are paginated."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from starlette.datastructures import QueryParams

from nip.language_models.server import create_app
from nip.language_models.server.errors import ApiError
from nip.language_models.server.json_io import page_of

CHAT = "/v1/chat/completions"
JOBS = "/v1/fine_tuning/jobs"
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
EXAMPLES = "\n".join(
    json.dumps(
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": a}]}
    )
    for a in "abcdefghij"
)


async def send(path: str, content: bytes) -> list[httpx2.Response]:
    """Upload a file, send a body, and list the jobs."""
    app = create_app()
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://endpoint") as client:
        file = {"file": ("examples.jsonl", EXAMPLES.encode())}
        await client.post("/v1/files", files=file, data={"purpose": "fine-tune"})
        responses = [await client.post(path, content=content), await client.get(JOBS)]
    await app.state.endpoint.aclose()
    return responses


def job(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "training_file": "file-00000001", **more}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, b"["),
        (CHAT, b"\xff"),
        (CHAT, b"[" * 100_000),
        (CHAT, b"[]"),
        (CHAT, QUESTION | {"model": "\ud800"}),
        (CHAT, QUESTION | {"messages": [{"role": "user", "content": "half \udc00"}]}),
        (CHAT, QUESTION | {"stream_options": [1]}),
        (JOBS, job(suffix="\ud800")),
        (JOBS, job(metadata={"\udfff": "x"})),
        (JOBS, job(hyperparameters="x")),
        (JOBS, job(method={"type": "supervised", "supervised": [1]})),
    ],
)
def test_an_invalid_body_is_refused_and_stores_nothing(path: str, body: Any) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    refusal, jobs = asyncio.run(send(path, content))
    assert refusal.status_code == 400
    assert refusal.json()["error"]["type"] == "invalid_request_error"
    assert jobs.json()["data"] == []


def test_a_complete_surrogate_pair_is_a_character() -> None:
    content = json.dumps(QUESTION | {"model": "\U0001f600"}).encode()
    assert b"\\ud83d" in content
    answer, _ = asyncio.run(send(CHAT, content))
    assert answer.json()["model"] == "\U0001f600"


def page(query: dict[str, str]) -> dict[str, Any]:
    response = page_of(
        ["a", "b", "c"],
        QueryParams(query),
        default_limit=2,
        max_limit=3,
        id_of=lambda item: item,
        show=lambda item: {"id": item},
    )
    return json.loads(response.body)


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        ({}, ["a", "b"], True),
        ({"limit": "3"}, ["a", "b", "c"], False),
        ({"after": "b"}, ["c"], False),
        ({"after": "c"}, [], False),
        ({"after": "a", "limit": "1"}, ["b"], True),
    ],
)
def test_a_page_starts_after_an_item(query, ids: list[str], has_more: bool) -> None:
    shown = page(query)
    assert [item["id"] for item in shown["data"]] == ids
    assert shown["has_more"] is has_more
    assert (shown["first_id"], shown["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "4"}, {"limit": "x"}, {"after": "d"}])
def test_invalid_pages_are_refused(query) -> None:
    with pytest.raises(ApiError):
        page(query)
