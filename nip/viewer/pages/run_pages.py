"""Pages about runs: the list, one run, and several runs beside each other."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nip.viewer.episodes.samples import sample_iterations
from nip.viewer.pages.state import ViewerState, listed, state_of, value_of
from nip.viewer.runs.catalogue import RunFilter, choices, common_metrics, folder_problem
from nip.viewer.runs.curves import curves_of
from nip.viewer.runs.details import STAGE_METRICS, read_details
from nip.viewer.runs.parameters import changed_from_defaults, compare
from nip.viewer.runs.sparkline import sparkline
from nip.viewer.web.rendering import page, with_query

MAX_COMPARED = 12
"""Maximum number of runs that are shown beside each other."""

_SHOWN_METRICS = ("mean_accuracy", "test_mean_accuracy")


def show_runs(request: Request) -> Response:
    """Show all runs that the filters admit."""
    return page(request, "runs.html", **_listed_runs(request))


def show_runs_table(request: Request) -> Response:
    """Return the table of runs alone, which the page replaces while runs are going on."""
    return page(request, "runs_table.html", **_listed_runs(request))


def _listed_runs(request: Request) -> dict[str, Any]:
    state = state_of(request)
    names = ("status", "scenario", "protocol", "tag")
    chosen = RunFilter(
        text=value_of(request, "q"),
        sort=value_of(request, "sort", "written"),
        **{name: value_of(request, name) for name in names},
    )
    runs = state.catalogue.all()
    metrics = common_metrics(runs)
    columns = [name for name in listed(request, "metric") if name in metrics]
    columns = columns or [name for name in _SHOWN_METRICS if name in metrics]
    query = {
        "q": chosen.text,
        **{name: getattr(chosen, name) for name in names},
        "sort": value_of(request, "sort"),
        "metric": listed(request, "metric"),
    }
    return {
        "runs": state.catalogue.select(runs, chosen),
        "num_runs": len(runs),
        "chosen": chosen,
        "choices": choices(runs),
        "columns": columns,
        "all_metrics": [name for name in metrics if not name.endswith(("_ci_low", "_ci_high"))],
        "sparkline": sparkline,
        "query": query,
        "table_url": with_query("/runs/table", **query),
        "folder": str(state.options.runs_dir),
        "problem": folder_problem(state.options.runs_dir),
    }


def show_run(request: Request) -> Response:
    """Show one run."""
    state, run_id = state_of(request), request.path_params["run"]
    folder = state.folder(run_id)
    run = state.catalogue.get(run_id)
    chosen = listed(request, "metric")
    return page(
        request,
        "run.html",
        changed=changed_from_defaults(run.tree),
        curves_url=with_query("/curves.json", run=run_id, metric=chosen),
        chosen_metrics=chosen,
        sample_iterations=sample_iterations(folder),
        **_live_parts(state, run_id),
    )


def show_run_parts(request: Request) -> Response:
    """Return the parts of the page of a run that change while it is going on."""
    template = "run_overview.html" if value_of(request, "part") == "overview" else "run_tables.html"
    return page(request, template, **_live_parts(state_of(request), request.path_params["run"]))


def _live_parts(state: ViewerState, run_id: str) -> dict[str, Any]:
    folder = state.folder(run_id)
    return {
        "run": state.catalogue.get(run_id),
        "details": read_details(folder),
        "stage_metrics": STAGE_METRICS,
    }


def compare_runs(request: Request) -> Response:
    """Show several runs beside each other: curves, last metrics, and parameters that differ."""
    state, run_ids = state_of(request), listed(request, "run")[:MAX_COMPARED]
    for run_id in run_ids:
        state.folder(run_id)
    runs = [state.catalogue.get(run_id) for run_id in run_ids]
    chosen = listed(request, "metric")
    names = [name for name in common_metrics(runs) if not name.endswith(("_ci_low", "_ci_high"))]
    return page(
        request,
        "compare_runs.html",
        runs=runs,
        run_ids=run_ids,
        rows=compare([run.parameters for run in runs]),
        all_metrics=names,
        chosen_metrics=chosen,
        curves_url=with_query("/curves.json", run=run_ids, metric=chosen),
    )


def curves_json(request: Request) -> Response:
    """Return the learning curves of some runs."""
    state, run_ids = state_of(request), listed(request, "run")[:MAX_COMPARED]
    if not run_ids:
        raise HTTPException(400, "Name at least one run: /curves.json?run=my_run")
    folders = {run_id: state.folder(run_id) for run_id in run_ids}
    runs = [state.catalogue.get(run_id) for run_id in run_ids]
    curves = curves_of(folders, common_metrics(runs), listed(request, "metric"))
    curves["is_live"] = any(run.status in ("running", "open elsewhere") for run in runs)
    return JSONResponse(curves)
