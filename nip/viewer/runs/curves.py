"""Learning curves of runs as plain data, which the page draws."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nip.errors import NipError
from nip.run_store.database import RunDatabase
from nip.run_store.report.main_metrics import PANELS, metrics_of_panel
from nip.viewer.runs.metrics import Points, series

MAX_PANELS = 12
"""Maximum number of panels that are shown at once."""


def panels_of(
    names: Iterable[str], chosen: Sequence[str] = (), *, of_several_runs: bool = False
) -> list[dict[str, Any]]:
    """Return the title and the metrics of each panel.

    Parameters
    ----------
    names : iterable of str
        All metrics of the runs.
    chosen : sequence of str
        Metrics that get a panel each; without any, the main metrics, grouped by their unit.
    of_several_runs : bool
        Whether the curves of several runs are drawn; then each main metric has a panel, too.
    """
    if chosen:
        return [{"title": name, "metrics": [name]} for name in chosen[:MAX_PANELS]]
    names = [name for name in names if not name.endswith(("_ci_low", "_ci_high"))]
    panels: list[dict[str, Any]] = []
    for panel in PANELS:
        metrics = [metric.name for metric in metrics_of_panel(panel, names)]
        if of_several_runs:
            panels += [
                {"title": name, "metrics": [name], "is_share": panel.is_share} for name in metrics
            ]
        elif metrics:
            entry = {"title": panel.title, "metrics": metrics, "is_share": panel.is_share}
            panels.append(entry)
    return panels[:MAX_PANELS] or [
        {"title": name, "metrics": [name]} for name in sorted(names)[:MAX_PANELS]
    ]


def curves_of(
    folders: Mapping[str, Path], names: Iterable[str], chosen: Sequence[str] = ()
) -> dict[str, Any]:
    """Return all panels with the values of all runs, as JSON-compatible data.

    Parameters
    ----------
    folders : mapping of str to Path
        Folders of the runs by their ids.
    names : iterable of str
        All metrics of the runs.
    chosen : sequence of str
        Metrics that get a panel each; see ``panels_of``.
    """
    panels = panels_of(names, chosen, of_several_runs=len(folders) > 1)
    wanted = [name for panel in panels for name in panel["metrics"]]
    values = {run_id: _values(folder, wanted) for run_id, folder in folders.items()}
    for panel in panels:
        panel["series"] = [
            {
                "run": run_id,
                "metric": name,
                "points": of_run[name],
                "band": _band(of_run.get(f"{name}_ci_low", []), of_run.get(f"{name}_ci_high", [])),
            }
            for name in panel["metrics"]
            for run_id, of_run in values.items()
            if of_run.get(name)
        ]
    return {"panels": panels, "runs": list(folders)}


def _values(folder: Path, names: Sequence[str]) -> dict[str, Points]:
    """Return the values of metrics and of the ends of their intervals; none if unreadable."""
    intervals = [f"{name}_ci_{end}" for name in names for end in ("low", "high")]
    try:
        database = RunDatabase(folder / "run.db", read_only=True)
    except (NipError, OSError):
        return {}
    try:
        return series(database, [*names, *intervals])
    except (NipError, OSError):
        return {}
    finally:
        database.close()


def _band(low: Points, high: Points) -> list[tuple[int, float, float]]:
    ends = dict(high)
    return [
        (iteration, value, other)
        for iteration, value in low
        if value is not None and (other := ends.get(iteration)) is not None
    ]
