"""Services that give one answer written down in the test, in process or over a socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling
from nip.language_models.provider_registry import ConnectionContext, build_chat_model

MODEL = "gpt-4o-mini-2024-07-18"
MESSAGES = [
    ChatMessage(role="system", content="You are a verifier."),
    ChatMessage(role="user", content="Is `a < b` right?"),
]


def chat_body(content: str | None = "Yes — it is.", **changes: Any) -> dict[str, Any]:
    """The body of a chat completion as OpenAI sends it; changes go into the choice."""
    message = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1741569952,
        "model": MODEL,
        "choices": [{**choice, **changes}],
        "usage": {
            "prompt_tokens": 19,
            "completion_tokens": 10,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_06737a9306",
    }


def ask_canned(
    body: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    sampling: Sampling | None = None,
    received: list[dict[str, Any]] | None = None,
) -> Completion:
    """Ask a service in this process that answers with a body, as JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["path"] == "/v1/chat/completions"
        if received is not None:
            received.append(json.loads(await Request(scope, receive).body()))
        await Response(content, status, headers, "application/json")(scope, receive, send)

    async def ask() -> Completion:
        spec = ModelSpec("rehearsal", MODEL)
        model = build_chat_model(spec, ConnectionContext(rehearsal_app=application))
        try:
            return await model.complete(MESSAGES, sampling or Sampling())
        finally:
            await model.aclose()

    return asyncio.run(ask())


class Wire:
    """A socket that answers every request with the same bytes and keeps what it was sent."""

    def __init__(self, answer: bytes, is_silent: bool = False) -> None:
        self.answer = answer
        self.is_silent = is_silent
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.address = ""
        self.serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close the connection."""
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        (length,) = (
            int(line.split(":")[1])
            for line in head.lower().splitlines()
            if line.startswith("content-length:")
        )
        self.requests.append((head, json.loads(await reader.readexactly(length))))
        if self.is_silent:
            await reader.read()
        writer.write(self.answer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def listening(wire: Wire) -> AsyncIterator[Wire]:
    """Give the socket an address for a while."""
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield wire
    finally:
        server.close()
        await asyncio.gather(*wire.serving)


def http(body: object, missing: int = 0) -> bytes:
    """The bytes of a response of status 200; `missing` more bytes are promised than sent."""
    content = json.dumps(body).encode()
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}content-length: {len(content) + missing}\r\n\r\n".encode() + content
