"""The routes under ``/v1/models``."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nip.language_models.server.endpoint import Endpoint
from nip.language_models.server.errors import unknown_model
from nip.language_models.server.model_names import BASE_MODELS, is_fine_tuned


async def list_models(request: Request) -> Response:
    """Handle ``GET /v1/models``."""
    endpoint: Endpoint = request.app.state.endpoint

    def list_all() -> Response:
        fine_tuned = [_show(name, created) for name, created in endpoint.state.models.all()]
        served = endpoint.options.served_models or BASE_MODELS
        base = [_show(name) for name in served]
        adapters = [
            {**_show(each.name), "root": each.path, "parent": served[0]}
            for each in endpoint.adapters.all()
        ]
        return JSONResponse({"object": "list", "data": [*base, *fine_tuned, *adapters]})

    return await endpoint.respond_to_read(request, list_all)


async def get_model(request: Request) -> Response:
    """Handle ``GET /v1/models/NAME``."""
    endpoint: Endpoint = request.app.state.endpoint
    name = request.path_params["name"]

    def get() -> Response:
        created = dict(endpoint.state.models.all())
        if not endpoint.has_model(name):
            raise unknown_model(name)
        return JSONResponse(_show(name, created.get(name, 0)))

    return await endpoint.respond_to_read(request, get)


async def delete_model(request: Request) -> Response:
    """Handle ``DELETE /v1/models/NAME``; only fine-tuned models can be deleted."""
    endpoint: Endpoint = request.app.state.endpoint
    name = request.path_params["name"]

    def delete() -> Response:
        if name not in endpoint.state.models:
            raise unknown_model(name)
        endpoint.state.models.delete(name)
        return JSONResponse({"id": name, "object": "model", "deleted": True})

    return await endpoint.respond_to_read(request, delete)


def _show(name: str, created: int = 0) -> dict[str, Any]:
    owner = "nip" if is_fine_tuned(name) else "system"
    return {"id": name, "object": "model", "created": created, "owned_by": owner}
