"""Download of chosen dialogues and curves as one file."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from nip.errors import ParameterError
from nip.viewer.export.documents import Exporter
from nip.viewer.pages.state import ViewerState, listed, state_of
from nip.viewer.web.place import Place


def export_html(request: Request) -> Response:
    """Return the chosen dialogues, and the curves of their runs, as one HTML file."""
    state, run_ids = state_of(request), listed(request, "run")
    places = _places(request, run_ids)
    try:
        text = _exporter(state).html(places, run_ids, listed(request, "metric"))
    except ParameterError as error:
        raise HTTPException(404, str(error)) from error
    return _download(text, "text/html; charset=utf-8", "nip_export.html")


def export_inspect(request: Request) -> Response:
    """Return the chosen dialogues, which are of one run, as a log of Inspect."""
    places = _places(request)
    try:
        text = _exporter(state_of(request)).inspect(places)
    except ParameterError as error:
        raise HTTPException(400, str(error)) from error
    return _download(text, "application/json", f"{places[0].run}.json")


def _exporter(state: ViewerState) -> Exporter:
    return Exporter(state.catalogue, state.experiments)


def _places(request: Request, run_ids: list[str] | None = None) -> list[Place]:
    """Return the chosen places; answer 400 to others, and 404 where there is no such run."""
    try:
        places = [Place.parse(key) for key in listed(request, "d")]
    except ParameterError as error:
        raise HTTPException(400, str(error)) from error
    for run_id in {*(run_ids or ()), *(place.run for place in places)}:
        state_of(request).folder(run_id)
    return places


def _download(text: str, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=kind, headers=headers)
