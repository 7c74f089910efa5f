"""Which models there are."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nip.language_models.server.endpoint import Endpoint, read_digest
from nip.language_models.server.errors import unknown_model
from nip.language_models.server.model_names import BASE_MODELS, is_fine_tuned


async def list_models(request: Request) -> Response:
    """Answer ``GET /v1/models``."""
    endpoint: Endpoint = request.app.state.endpoint

    def work() -> Response:
        own = [_show(name, created) for name, created in endpoint.state.models.all()]
        base = [_show(name) for name in BASE_MODELS]
        return JSONResponse({"object": "list", "data": [*base, *own]})

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


async def get_model(request: Request) -> Response:
    """Answer ``GET /v1/models/NAME``."""
    endpoint: Endpoint = request.app.state.endpoint
    name = request.path_params["name"]

    def work() -> Response:
        created = dict(endpoint.state.models.all())
        if is_fine_tuned(name) and name not in created:
            raise unknown_model(name)
        return JSONResponse(_show(name, created.get(name, 0)))

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


async def delete_model(request: Request) -> Response:
    """Answer ``DELETE /v1/models/NAME``; only fine-tuned models can be deleted."""
    endpoint: Endpoint = request.app.state.endpoint
    name = request.path_params["name"]

    def work() -> Response:
        if name not in endpoint.state.models:
            raise unknown_model(name)
        endpoint.state.models.delete(name)
        return JSONResponse({"id": name, "object": "model", "deleted": True})

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


def _show(name: str, created: int = 0) -> dict[str, Any]:
    owner = "nip" if is_fine_tuned(name) else "system"
    return {"id": name, "object": "model", "created": created, "owned_by": owner}
