"""The application: which address leads where."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nip.language_models.server import admin, chat, files, jobs, models
from nip.language_models.server.endpoint import Endpoint
from nip.language_models.server.errors import ApiError
from nip.language_models.server.options import EndpointOptions

Handler = Callable[[Request], Awaitable[Response]]


def create_app(options: EndpointOptions | None = None) -> Starlette:
    """Build an endpoint that speaks as hosted language models do.

    Serve it over HTTP, or give it to a client in the same process:
    ``httpx2.ASGITransport(app=create_app())``. Its addresses begin with ``/v1``. What it did is
    told by ``GET /admin/counters``, and by ``app.state.endpoint.counters()``. A server closes it
    when it shuts down; whoever uses it in process awaits ``app.state.endpoint.aclose()``.

    Parameters
    ----------
    options : EndpointOptions, optional
        How it behaves; None: the defaults.

    Raises
    ------
    ParameterError, UnknownNameError
        If an option cannot be used.
    """
    endpoint = Endpoint(options or EndpointOptions())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await endpoint.aclose()

    app = Starlette(
        routes=[
            Route(path, _checked(endpoint, handler), methods=[method])
            for method, path, handler in _ROUTES
        ],
        # Handlers are declared for any exception, and get those of their class only.
        exception_handlers={ApiError: _show_api_error, HTTPException: _show_http_error},
        lifespan=lifespan,
    )
    app.state.endpoint = endpoint
    return app


_JOB = "/v1/fine_tuning/jobs/{job_id}"

_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/chat/completions", chat.complete_chat),
    ("GET", "/v1/models", models.list_models),
    ("GET", "/v1/models/{name:path}", models.get_model),
    ("DELETE", "/v1/models/{name:path}", models.delete_model),
    ("POST", "/v1/files", files.upload_file),
    ("GET", "/v1/files", files.list_files),
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
    ("GET", "/admin/counters", admin.get_counters),
    ("GET", "/admin/faults", admin.get_faults),
    ("POST", "/admin/faults", admin.set_faults),
)


def _checked(endpoint: Endpoint, handler: Handler) -> Handler:
    async def check_and_handle(request: Request) -> Response:
        endpoint.check_key(request)
        return await handler(request)

    return check_and_handle


def _show_api_error(_request: Request, error: Any) -> Response:
    return JSONResponse(error.body(), error.status, error.headers)


def _show_http_error(request: Request, error: Any) -> Response:
    refusal = ApiError(error.status_code, f"{error.detail}: {request.method} {request.url.path}")
    return JSONResponse(refusal.body(), refusal.status, error.headers)
