"""The Starlette application of the mock API: routes, and the admin interface."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nip.errors import NipError
from nip.language_models.server import adapters, chat, files, jobs, models
from nip.language_models.server.endpoint import Endpoint, EndpointOptions
from nip.language_models.server.errors import ApiError, invalid
from nip.language_models.server.faults import fault_registry, read_fault_plan
from nip.language_models.server.json_io import read_json_object
from nip.language_models.server.request_checks import (
    MAX_BODY,
    MAX_UPLOAD,
    check_admin_request,
    check_host,
    check_origin,
    limit_body,
)

Handler = Callable[[Request], Awaitable[Response]]


def create_app(options: EndpointOptions | None = None) -> Starlette:
    """Build a mock of a hosted language model API.

    Serve it over HTTP, or pass it to a client in the same process:
    ``httpx2.ASGITransport(app=create_app())``. All API paths begin with ``/v1``. Request counters
    are available as ``GET /admin/counters`` and as ``app.state.endpoint.counters()``. An HTTP
    server closes the endpoint on shutdown; in-process users must await
    ``app.state.endpoint.aclose()``.

    Parameters
    ----------
    options : EndpointOptions, optional
        Behaviour of the mock API; None uses the defaults.

    Raises
    ------
    ParameterError, UnknownNameError
        If an option is invalid.
    """
    endpoint = Endpoint(options or EndpointOptions())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await endpoint.aclose()

    app = Starlette(
        routes=[
            Route(path, _guarded(endpoint, path, handler), methods=[method])
            for method, path, handler in _ROUTES
        ],
        # Starlette types handlers as taking any exception, but calls each only for its own class.
        exception_handlers={
            ApiError: _show_api_error,
            HTTPException: _show_http_error,
            ClientDisconnect: _show_nothing,
        },
        lifespan=lifespan,
    )
    app.state.endpoint = endpoint
    return app


async def get_counters(request: Request) -> Response:
    """Handle ``GET /admin/counters``."""
    endpoint: Endpoint = request.app.state.endpoint
    return JSONResponse(endpoint.counters().to_dict())


async def get_faults(request: Request) -> Response:
    """Handle ``GET /admin/faults``."""
    endpoint: Endpoint = request.app.state.endpoint
    rules = [rule.to_text() for rule in endpoint.faults.rules]
    return JSONResponse({"faults": rules, "known": fault_registry.names()})


async def set_faults(request: Request) -> Response:
    """Handle ``POST /admin/faults`` with ``{"faults": [...], "fault_rate": 0.2, "seed": 0}``."""
    endpoint: Endpoint = request.app.state.endpoint
    body = await read_json_object(request)
    names = body.get("faults")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise invalid("faults", f"faults must be a list of names, got {names!r}.")
    rate = body.get("fault_rate", endpoint.options.fault_rate)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise invalid("fault_rate", f"fault_rate must be between 0 and 1, got {rate!r}.")
    seed = body.get("seed", endpoint.options.seed)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise invalid("seed", f"seed must be an integer, got {seed!r}.")
    try:
        endpoint.faults = read_fault_plan(names, rate, seed)
    except NipError as error:
        raise invalid("faults", str(error)) from error
    return await get_faults(request)


FILES = "/v1/files"
_JOB = "/v1/fine_tuning/jobs/{job_id}"

_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/chat/completions", chat.complete_chat),
    ("POST", "/v1/load_lora_adapter", adapters.load_adapter),
    ("POST", "/v1/unload_lora_adapter", adapters.unload_adapter),
    ("GET", "/v1/models", models.list_models),
    ("GET", "/v1/models/{name:path}", models.get_model),
    ("DELETE", "/v1/models/{name:path}", models.delete_model),
    ("POST", FILES, files.upload_file),
    ("GET", FILES, files.list_files),
    ("GET", "/v1/files/{file_id}", files.get_file),
    ("GET", "/v1/files/{file_id}/content", files.get_content),
    ("DELETE", "/v1/files/{file_id}", files.delete_file),
    ("POST", "/v1/fine_tuning/jobs", jobs.create_job),
    ("GET", "/v1/fine_tuning/jobs", jobs.list_jobs),
    ("GET", _JOB, jobs.get_job),
    ("POST", f"{_JOB}/cancel", jobs.cancel_job),
    ("POST", f"{_JOB}/pause", jobs.pause_job),
    ("POST", f"{_JOB}/resume", jobs.resume_job),
    ("GET", f"{_JOB}/events", jobs.list_events),
    ("GET", f"{_JOB}/checkpoints", jobs.list_checkpoints),
    ("GET", "/admin/counters", get_counters),
    ("GET", "/admin/faults", get_faults),
    ("POST", "/admin/faults", set_faults),
)


def _guarded(endpoint: Endpoint, path: str, handler: Handler) -> Handler:
    """Check key, host and type of the body before a handler, and limit the body."""
    options = endpoint.options

    async def check_and_handle(request: Request) -> Response:
        endpoint.check_key(request)
        check_origin(request, options.admin_hosts)
        if path.startswith("/admin/"):
            check_admin_request(request)
        if path.startswith("/admin/") or options.is_local:
            check_host(request, options.admin_hosts)
        return await handler(limit_body(request, MAX_UPLOAD if path == FILES else MAX_BODY))

    return check_and_handle


def _show_api_error(_request: Request, error: Any) -> Response:
    return JSONResponse(error.body(), error.status, error.headers)


def _show_nothing(_request: Request, _error: Any) -> Response:
    """Answer a client that has closed the connection before its request was complete."""
    return Response(status_code=400)


def _show_http_error(request: Request, error: Any) -> Response:
    path = request.scope["path"]
    refusal = ApiError(error.status_code, f"{error.detail}: {request.method} {path}")
    return JSONResponse(refusal.body(), refusal.status, error.headers)
