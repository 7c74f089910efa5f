"""The official client, connected to a mock API in this process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from nip.language_models.server import EndpointOptions, create_app
from nip.language_models.server.endpoint import Endpoint

T = TypeVar("T")
MODEL = "gpt-4o-mini-2024-07-18"


@asynccontextmanager
async def open_client(endpoint_app, key: str = "any"):
    """Open the official client; it never asks twice by itself."""
    transport = httpx2.ASGITransport(app=endpoint_app)
    async with AsyncOpenAI(
        api_key=key,
        base_url="http://endpoint/v1",
        max_retries=0,
        http_client=DefaultAsyncHttpxClient(transport=transport),
    ) as client:
        yield client


def use(
    work: Callable[[AsyncOpenAI, Endpoint], Awaitable[T]], *, key: str = "any", **options: Any
) -> T:
    """Build an endpoint, do something with a client of it, and close both."""

    async def run() -> T:
        app = create_app(EndpointOptions(**options))
        try:
            async with open_client(app, key) as client:
                return await work(client, app.state.endpoint)
        finally:
            await app.state.endpoint.aclose()

    return asyncio.run(run())


async def ask(client: AsyncOpenAI, text: str = "Hello", **more: Any):
    """Ask the model for an answer to one message."""
    messages = [{"role": "user", "content": text}]
    return await client.chat.completions.create(**{"model": MODEL, "messages": messages, **more})


async def text_of(client: AsyncOpenAI, text: str = "Hello", **more: Any) -> str:
    """Ask, and return only what the model says."""
    return (await ask(client, text, **more)).choices[0].message.content
