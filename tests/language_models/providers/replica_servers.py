"""Several mock APIs in this process, each at an address of its own, which can be stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from nip.language_models.chat import ChatMessage, ChatModel, ModelSpec, Sampling
from nip.language_models.provider_registry import ConnectionContext, build_chat_model
from nip.language_models.server import EndpointOptions, create_app

T = TypeVar("T")


@dataclass
class Servers:
    """Mock APIs by address; the address of a stopped server refuses connections."""

    addresses: tuple[str, ...]
    options: dict[str, Any]
    apps: dict[str, Any] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    """Address, path and body of each request that arrived."""

    def start(self, address: str) -> None:
        """Start a server, or restart it, with an empty state."""
        self.apps[address] = create_app(EndpointOptions(**self.options))

    def stop(self, address: str) -> None:
        """Stop a server."""
        self.apps.pop(address).state.endpoint.close()

    def adapters(self, address: str) -> list[str]:
        """Return the names of the adapters that a server has."""
        return [each.name for each in self.apps[address].state.endpoint.adapters.all()]

    def paths(self, address: str) -> list[str]:
        """Return the paths of the requests to a server."""
        return [path for where, path, _ in self.requests if where == address]

    def where(self, path: str = "/v1/chat/completions") -> list[str]:
        """Return the addresses of the requests with a path."""
        return [address for address, each, _ in self.requests if each == path]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass a request to its server."""
        address = f"{request.url.scheme}://{request.url.netloc.decode()}/v1"
        if address not in self.apps:
            raise httpx2.ConnectError("refused", request=request)
        self.requests.append((address, request.url.path, request.content))
        return await httpx2.ASGITransport(app=self.apps[address]).handle_async_request(request)


class _Transport(httpx2.AsyncBaseTransport):
    def __init__(self, servers: Servers) -> None:
        self.handle_async_request = servers.handle_async_request  # type: ignore[method-assign]


def start_servers(monkeypatch: pytest.MonkeyPatch, number: int, **options: Any) -> Servers:
    """Start servers that load adapters, to which the providers of services connect."""
    addresses = tuple(f"http://server{index}:8000/v1" for index in range(number))
    servers = Servers(addresses, {"brain": "echo", "serves_adapters": True, **options})
    for address in addresses:
        servers.start(address)

    def open_client(spec: ModelSpec, _context: ConnectionContext) -> AsyncOpenAI:
        client = DefaultAsyncHttpxClient(transport=_Transport(servers))
        return AsyncOpenAI(
            api_key="none", base_url=str(spec.base_url), max_retries=0, http_client=client
        )

    monkeypatch.setattr("nip.language_models.providers.openai.open_client", open_client)
    return servers


def with_model(spec: ModelSpec, work: Callable[[ChatModel], Awaitable[T]]) -> T:
    """Do something with a model, and close it."""

    async def run() -> T:
        model = build_chat_model(spec, ConnectionContext())
        try:
            return await work(model)
        finally:
            await model.aclose()

    return asyncio.run(run())


async def say(model: ChatModel, dialogue: str, text: str = "Hello") -> str:
    """Ask a model in a dialogue."""
    message = ChatMessage(role="user", content=text)
    return (await model.complete_turn([message], Sampling(seed=1), dialogue)).text


def write_adapter(folder: Path, weights: bytes = b"weights") -> Path:
    """Write the files of an adapter, whose weights no server of this module reads."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "base_model_name_or_path": "base"}'
    )
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder
