import asyncio
import json
from typing import Any

import httpx2
import pytest

from nip.language_models.server import create_app

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
def test_a_body_that_cannot_be_used_is_refused_and_leaves_nothing(path: str, body: Any) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    refusal, jobs = asyncio.run(send(path, content))
    assert refusal.status_code == 400
    assert refusal.json()["error"]["type"] == "invalid_request_error"
    assert jobs.json()["data"] == []


def test_a_whole_surrogate_pair_is_a_character() -> None:
    content = json.dumps(QUESTION | {"model": "\U0001f600"}).encode()
    assert b"\\ud83d" in content
    answer, _ = asyncio.run(send(CHAT, content))
    assert answer.json()["model"] == "\U0001f600"
