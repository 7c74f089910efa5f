"""``build_app``: the web application of the viewer."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from nip.errors import NipError
from nip.utils.secrets import scrub_code
from nip.viewer.pages import (
    dialogue_pages,
    episode_page,
    export_pages,
    run_pages,
    search_page,
    statistics_page,
)
from nip.viewer.pages.state import ViewerState
from nip.viewer.web.options import ViewerOptions
from nip.viewer.web.rendering import page
from nip.viewer.web.security import LocalOnly
from nip.viewer.web.static_files import send_static

_DIALOGUE = "/runs/{run}/dialogues/{phase}/{iteration}/{position}"


def build_app(options: ViewerOptions) -> Starlette:
    """Return the web application, which reads the folders of runs and writes nothing there.

    Parameters
    ----------
    options : ViewerOptions
        What is shown.
    """
    app = Starlette(
        routes=[
            Route("/", RedirectResponse("/runs")),
            Route("/runs", run_pages.show_runs),
            Route("/runs/table", run_pages.show_runs_table),
            Route("/compare", run_pages.compare_runs),
            Route("/curves.json", run_pages.curves_json),
            Route("/statistics", statistics_page.show_statistics),
            Route("/runs/{run}", run_pages.show_run),
            Route("/runs/{run}/live", run_pages.show_run_parts),
            Route("/runs/{run}/episodes", episode_page.show_episodes),
            Route("/runs/{run}/episodes/{datapoint:int}", episode_page.show_question_episodes),
            Route("/runs/{run}/dialogues", dialogue_pages.show_dialogues),
            Route(_DIALOGUE, dialogue_pages.show_dialogue),
            Route(f"{_DIALOGUE}/messages/{{turn:int}}.txt", dialogue_pages.message_text),
            Route(f"{_DIALOGUE}/sent/{{agent}}.json", dialogue_pages.requests_json),
            Route("/question", dialogue_pages.show_question),
            Route("/beside", dialogue_pages.show_beside),
            Route("/search", search_page.show_search),
            Route("/export.html", export_pages.export_html),
            Route("/export.json", export_pages.export_inspect),
            Route("/static/{name}", send_static),
        ],
        middleware=[Middleware(LocalOnly)],
        lifespan=_prepare,
        exception_handlers={
            HTTPException: _show_http_error,
            NipError: _show_error,
            OSError: _show_error,
        },
    )
    app.state.viewer = ViewerState(options)
    return app


@asynccontextmanager
async def _prepare(app: Starlette) -> AsyncIterator[None]:
    """Let a server answer at once, and prepare meanwhile what its first pages need."""
    threading.Thread(target=app.state.viewer.prepare, name="prepare", daemon=True).start()
    yield


def _show_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return page(
        request, "error.html", error.status_code, status=error.status_code, message=error.detail
    )


def _show_error(request: Request, error: Exception) -> Response:
    """Show why a run cannot be read; the other pages are not affected."""
    return page(request, "error.html", 500, status=500, message=scrub_code(str(error)))
