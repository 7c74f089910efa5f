"""The page that searches all messages of all runs."""

from starlette.requests import Request
from starlette.responses import Response

from nip.errors import NipError
from nip.viewer.pages.state import integer_of, state_of, value_of
from nip.viewer.search.query import PAGE_SIZE, Match, SearchQuery, agents_of, search
from nip.viewer.web.rendering import page

MAX_WAIT_S = 3.0
"""Seconds that a search waits for the index; after that it shows what was indexed so far."""


def show_search(request: Request) -> Response:
    """Search all messages of all runs."""
    state = state_of(request)
    query = SearchQuery(
        text=value_of(request, "q"),
        run=value_of(request, "run"),
        agent=value_of(request, "agent"),
        phase=value_of(request, "phase"),
    )
    number = max(1, integer_of(request, "page") or 1)
    matches: list[Match] = []
    agents: list[str] = []
    count, problem, progress = 0, "", None
    try:
        progress = state.index.refresh(MAX_WAIT_S)
        with state.index.open() as connection:
            matches, count = search(connection, query, number)
            agents = agents_of(connection)
    except NipError as error:
        problem = str(error)
    return page(
        request,
        "search.html",
        chosen=query,
        query={"q": query.text, "run": query.run, "agent": query.agent, "phase": query.phase},
        matches=matches,
        count=count,
        number=number,
        num_pages=max(1, -(-count // PAGE_SIZE)),
        agents=agents,
        runs=[run.run_id for run in state.catalogue.all() if run.num_dialogues],
        progress=progress,
        problem=problem,
        folder=str(state.options.runs_dir),
    )
