"""``RunCatalogue``: all runs of a folder, with filters and order."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nip.run_store.run_id import existing_run_ids
from nip.viewer.runs.file_cache import FileCache, database_files
from nip.viewer.runs.summary import RunSummary, present_status, summarise

_MAX_SUMMARIES = 5_000


@dataclass(frozen=True)
class RunFilter:
    """Which runs are listed, and in which order."""

    text: str = ""
    """Words that all occur in the name, the tags or the parameters (as ``name=value``)."""

    status: str = ""
    """Status; empty: any."""

    scenario: str = ""
    """Scenario; empty: any."""

    protocol: str = ""
    """Protocol; empty: any."""

    tag: str = ""
    """Tag; empty: any."""

    sort: str = "written"
    """``written`` (the newest first), ``name``, or a metric (the highest first)."""

    def admits(self, run: RunSummary) -> bool:
        """Return whether a run is listed."""
        wanted = (
            (self.status, run.status),
            (self.scenario, run.parameter("scenario")),
            (self.protocol, run.parameter("interaction_protocol")),
        )
        if any(value and value != present for value, present in wanted):
            return False
        if self.tag and self.tag not in run.tags:
            return False
        words = self.text.lower().split()
        return not words or all(word in _searched(run) for word in words)


def _searched(run: RunSummary) -> str:
    values = (f"{name}={value}" for name, value in run.parameters.items())
    return "\n".join([run.run_id, *run.tags, *values]).lower()


class RunCatalogue:
    """The runs of a folder; each is read again when one of its files has changed.

    Parameters
    ----------
    runs_dir : Path
        Folder of the runs.
    """

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir
        self._summaries: FileCache[RunSummary] = FileCache(_MAX_SUMMARIES)

    def all(self) -> list[RunSummary]:
        """Return all runs, sorted by name."""
        return [self.get(run_id) for run_id in existing_run_ids(self.runs_dir)]

    def get(self, run_id: str) -> RunSummary:
        """Return one run, which must exist."""
        folder = self.runs_dir / run_id
        names = ("hyper_params.yaml", "environment.json", "result.json")
        files = [*(folder / name for name in names), *database_files(folder)]
        stored = self._summaries.get(run_id, files, lambda: summarise(folder))
        return replace(stored, status=present_status(stored, folder))

    def select(self, runs: list[RunSummary], chosen: RunFilter) -> list[RunSummary]:
        """Return the runs that a filter admits, in its order."""
        found = [run for run in runs if chosen.admits(run)]
        if chosen.sort == "written":
            return sorted(found, key=lambda run: -(run.last_written or 0.0))
        if chosen.sort == "name":
            return found
        return sorted(found, key=lambda run: _descending(run.metrics.get(chosen.sort)))


def _descending(value: float | None) -> tuple[bool, float]:
    return (value is None, -(value or 0.0))


def choices(runs: list[RunSummary]) -> dict[str, list[str]]:
    """Return the values among which the filters choose."""
    return {
        "status": _distinct(run.status for run in runs),
        "scenario": _distinct(run.parameter("scenario") for run in runs),
        "protocol": _distinct(run.parameter("interaction_protocol") for run in runs),
        "tag": _distinct(tag for run in runs for tag in run.tags),
    }


def _distinct(values: Iterator[str]) -> list[str]:
    return sorted({value for value in values if value})


def common_metrics(runs: list[RunSummary]) -> list[str]:
    """Return the names of all metrics of some runs, sorted."""
    return sorted({name for run in runs for name in run.metrics})


def folder_problem(runs_dir: Path) -> str:
    """Return why a folder shows no runs; empty if it can be read."""
    if not runs_dir.exists():
        return f"There is no folder {runs_dir} yet. It is made when the first run starts."
    if not os.access(runs_dir, os.R_OK | os.X_OK):
        return f"You may not read {runs_dir}. Choose another folder with --runs-dir."
    return ""
