"""The routes ``/v1/load_lora_adapter`` and ``/v1/unload_lora_adapter`` of vLLM servers."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from nip.language_models.server.adapter_table import is_adapter_folder
from nip.language_models.server.endpoint import Endpoint
from nip.language_models.server.errors import ApiError
from nip.language_models.server.json_io import read_json_object


async def load_adapter(request: Request) -> Response:
    """Handle ``POST /v1/load_lora_adapter``."""
    return await _handle(request, _load, ("lora_name", "lora_path"))


async def unload_adapter(request: Request) -> Response:
    """Handle ``POST /v1/unload_lora_adapter``."""
    return await _handle(request, _unload, ("lora_name",))


async def _handle(request: Request, work: Callable[..., str], names: tuple[str, ...]) -> Response:
    endpoint: Endpoint = request.app.state.endpoint
    if not endpoint.options.serves_adapters:
        # As of a server that does not have the route.
        raise HTTPException(404, "Not Found")
    body = await read_json_object(request)
    values = [_text(body, name) for name in names]
    digest = hashlib.sha256(json.dumps([request.scope["path"], *values]).encode()).digest()
    fault = endpoint.choose_fault("read", digest)
    return await endpoint.respond(fault, lambda: PlainTextResponse(work(endpoint, *values)))


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError(400, f"{name!r} needs to be provided.", kind="InvalidUserInput")
    return value


def _load(endpoint: Endpoint, name: str, path: str) -> str:
    if endpoint.adapters.get(name) is not None:
        raise ApiError(
            400,
            f"The lora adapter '{name}' has already been loaded. If you want to load the adapter "
            "in place, set 'load_inplace' to True.",
            kind="InvalidUserInput",
        )
    if not is_adapter_folder(path):
        raise ApiError(
            404, f"Loading lora {name} failed: No adapter found for {path}", kind="NotFoundError"
        )
    endpoint.adapters.load(name, path)
    return f"Success: LoRA adapter '{name}' added successfully."


def _unload(endpoint: Endpoint, name: str) -> str:
    if endpoint.adapters.get(name) is None:
        raise ApiError(404, f"The lora adapter '{name}' cannot be found.", kind="NotFoundError")
    endpoint.adapters.unload(name)
    return f"Success: LoRA adapter '{name}' removed successfully."
