"""Download of chosen dialogues and curves as one file."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from nip.errors import ParameterError
from nip.viewer.export.collecting import collect
from nip.viewer.export.html_page import ExportedDialogue, export_page
from nip.viewer.export.inspect_log import dump, inspect_log
from nip.viewer.pages.state import ViewerState, listed, state_of
from nip.viewer.runs.catalogue import common_metrics
from nip.viewer.runs.curves import curves_of
from nip.viewer.web.place import Place


def export_html(request: Request) -> Response:
    """Return the chosen dialogues, and the curves of their runs, as one HTML file."""
    state = state_of(request)
    places = _places(request)
    run_ids = list(dict.fromkeys([*listed(request, "run"), *(place.run for place in places)]))
    folders = {run_id: state.folder(run_id) for run_id in run_ids}
    names = common_metrics([state.catalogue.get(run_id) for run_id in run_ids])
    curves = curves_of(folders, names, listed(request, "metric"))
    title = f"Dialogues of {', '.join(run_ids)}" if places else f"Curves of {', '.join(run_ids)}"
    text = export_page(_collect(state, places), curves, title)
    return _download(text, "text/html; charset=utf-8", "nip_export.html")


def export_inspect(request: Request) -> Response:
    """Return the chosen dialogues, which are of one run, as a log of Inspect."""
    state = state_of(request)
    places = _places(request)
    run_ids = {place.run for place in places}
    if len(run_ids) != 1:
        raise HTTPException(400, "A log of Inspect holds dialogues of one run. Choose some of one.")
    (run_id,) = run_ids
    try:
        log = inspect_log(state.catalogue.get(run_id), _collect(state, places))
    except ParameterError as error:
        raise HTTPException(400, str(error)) from error
    return _download(dump(log), "application/json", f"{run_id}.json")


def _places(request: Request) -> list[Place]:
    try:
        return [Place.parse(key) for key in listed(request, "d")]
    except ParameterError as error:
        raise HTTPException(400, str(error)) from error


def _collect(state: ViewerState, places: list[Place]) -> list[ExportedDialogue]:
    for run_id in {place.run for place in places}:
        state.folder(run_id)
    try:
        return collect(state.options.runs_dir, state.experiments, places)
    except ParameterError as error:
        raise HTTPException(404, str(error)) from error


def _download(text: str, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=kind, headers=headers)
