"""The page with the statistics of runs over seeds and questions."""

import warnings
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from nip.errors import NipError
from nip.viewer.pages.state import listed, state_of, value_of
from nip.viewer.runs.catalogue import common_metrics
from nip.viewer.web.rendering import page

CHOICES = {
    "statistic": ("mean", "iqm"),
    "interval": ("t", "percentile"),
    "at": ("common", "last", "best"),
    "unit": ("seeds", "questions", "both"),
}
"""Options of a comparison that the page offers; the first of each is the default."""


def show_statistics(request: Request) -> Response:
    """Compare groups of runs that differ in their seeds only."""
    # Imported here, because it brings SciPy along, which no other page needs.
    from nip.comparison import ComparisonOptions, compare_runs
    from nip.comparison.tables import remarks, text_tables

    state, run_ids = state_of(request), listed(request, "run")
    for run_id in run_ids:
        state.folder(run_id)
    runs = [state.catalogue.get(run_id) for run_id in run_ids]
    chosen = {name: value_of(request, name, known[0]) for name, known in CHOICES.items()}
    # The comparison checks the values itself.
    options: dict[str, Any] = dict(chosen)
    comparison, tables, notes, problem = None, [], [], ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            comparison = compare_runs(
                run_ids,
                state.options.runs_dir,
                ComparisonOptions(
                    metrics=tuple(listed(request, "metric")),
                    data_dir=state.options.data_dir,
                    **options,
                ),
            )
            tables, notes = list(text_tables(comparison)), remarks(comparison)
    except (NipError, OSError) as error:
        problem = str(error)
    names = common_metrics(runs)
    return page(
        request,
        "statistics.html",
        run_ids=run_ids,
        comparison=comparison,
        tables=tables,
        notes=notes,
        problem=problem,
        chosen=chosen,
        choices=CHOICES,
        chosen_metrics=listed(request, "metric"),
        all_metrics=[name for name in names if not name.endswith(("_ci_low", "_ci_high"))],
    )
