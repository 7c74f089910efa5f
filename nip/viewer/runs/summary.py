"""``RunSummary``: what the list of runs shows of one run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nip.errors import NipError
from nip.run_store.database import STATE_PREFIX, RunDatabase
from nip.run_store.database.bill import BILL_KEY
from nip.run_store.liveness import is_open, last_written
from nip.run_store.report.main_metrics import main_metrics
from nip.trainers.text.state import STATE_KEY
from nip.utils.files import read_text
from nip.viewer.runs.metrics import Points, last_iteration, latest_metrics, series
from nip.viewer.runs.parameters import flat, read_tree
from nip.viewer.web.place import run_url

Status = Literal["running", "interrupted", "open elsewhere", "completed", "failed", "unreadable"]
DataKind = Literal["text", "tensordict", "unknown"]


@dataclass
class RunSummary:
    """What the list of runs shows of one run."""

    run_id: str
    """Name of the run."""

    status: Status = "interrupted"
    """``running`` if a process has the run open, ``interrupted`` if none has and it is not over."""

    problem: str = ""
    """Why the run failed, or cannot be read."""

    parameters: dict[str, str] = field(default_factory=dict)
    """All parameters by dotted name, as text."""

    tree: dict[str, Any] = field(default_factory=dict)
    """The stored tree of parameters."""

    metrics: dict[str, float | None] = field(default_factory=dict)
    """The last value of each metric."""

    trend_name: str = ""
    """The metric whose values ``trend`` has: the most important one."""

    trend: Points = field(default_factory=list)
    """Values of the most important metric."""

    iteration: int = 0
    """The last iteration with metrics; 0 before the first."""

    num_iterations: int | None = None
    """Number of iterations in the parameters."""

    stage: str = ""
    """The stage of a run of language models that comes next."""

    bill: dict[str, Any] = field(default_factory=dict)
    """Dollars, tokens, and how dialogues ended."""

    stop_reason: str = ""
    """Why the run stopped early."""

    num_dialogues: int = 0
    """Number of stored dialogues."""

    started: str = ""
    """Time of the first start."""

    last_written: float | None = None
    """When its database was last written, in seconds since 1970."""

    @property
    def url(self) -> str:
        """Path of the page of the run."""
        return run_url(self.run_id)

    @property
    def progress(self) -> float:
        """Share of the iterations that are finished."""
        if self.status == "completed":
            return 1.0
        return min(1.0, self.iteration / self.num_iterations) if self.num_iterations else 0.0

    @property
    def tags(self) -> list[str]:
        """Tags of the run: those that it was given for Weights & Biases."""
        callbacks = self.tree.get("callbacks")
        listed = callbacks if isinstance(callbacks, list) else []
        found = [
            str(tag)
            for each in listed
            if isinstance(each, Mapping) and isinstance(each.get("tags"), list)
            for tag in each["tags"]
        ]
        return list(dict.fromkeys(found))

    @property
    def cost(self) -> float | None:
        """Dollars spent; None for a run without language models."""
        cost = self.bill.get("cost")
        return float(cost) if isinstance(cost, int | float) else None

    def parameter(self, name: str) -> str:
        """Return a parameter as text; empty if there is none."""
        return self.parameters.get(name, "")


def summarise(folder: Path) -> RunSummary:
    """Read what the list of runs shows; whatever cannot be read is stated in ``problem``."""
    summary = RunSummary(folder.name, last_written=last_written(folder))
    try:
        summary.tree = read_tree(folder / "hyper_params.yaml")
    except (NipError, OSError) as error:
        summary.status, summary.problem = "unreadable", str(error)
        return summary
    summary.parameters = flat(summary.tree)
    summary.num_iterations = _integer(summary.tree, "rl", "num_iterations")
    summary.started = _first_start(folder)
    if not (folder / "run.db").exists():
        summary.status = "interrupted"
        return summary
    try:
        database = RunDatabase(folder / "run.db", read_only=True)
    except (NipError, OSError) as error:
        summary.status, summary.problem = "unreadable", str(error)
        return summary
    try:
        _read_database(summary, folder, database)
    except (NipError, OSError, ValueError) as error:
        summary.status, summary.problem = "unreadable", str(error)
    finally:
        database.close()
    return summary


def _read_database(summary: RunSummary, folder: Path, database: RunDatabase) -> None:
    summary.metrics = latest_metrics(database)
    summary.iteration = last_iteration(database) or 0
    names = [each.name for each in main_metrics(summary.metrics)][:1] if summary.metrics else []
    for name in names:
        summary.trend_name, summary.trend = name, series(database, [name])[name]
    summary.bill = state_of(database, BILL_KEY) or {}
    summary.stop_reason = str(state_of(database, "stop_reason") or "")
    summary.stage = _stage(state_of(database, STATE_KEY))
    with database.transaction.reading() as connection:
        (summary.num_dialogues,) = connection.execute("SELECT count(*) FROM rollouts").fetchone()
    status = database.get_state("status", "running")
    if status in ("completed", "failed"):
        summary.status = status  # type: ignore[assignment]
        summary.problem = _error_of(folder) if status == "failed" else ""
    else:
        # Not part of what is cached by the files: it changes without them.
        summary.status = "interrupted"


def present_status(summary: RunSummary, folder: Path) -> Status:
    """Return the status at this moment: whether a process has an unfinished run open."""
    if summary.status in ("completed", "failed", "unreadable"):
        return summary.status
    is_running = is_open(folder)
    if is_running is None:
        return "open elsewhere"
    return "running" if is_running else "interrupted"


def state_of(database: RunDatabase, key: str) -> Any:
    """Return a value of the trainer's stored state; None if it is missing or damaged."""
    stored = database.get_state(f"{STATE_PREFIX}{key}", "")
    try:
        return json.loads(stored) if stored else None
    except ValueError:
        return None


def _stage(state: Any) -> str:
    if not isinstance(state, Mapping):
        return ""
    return str(state.get("stage", "")).replace("_", " ")


def _first_start(folder: Path) -> str:
    try:
        starts = json.loads(read_text(folder / "environment.json"))["starts"]
        return str(starts[0]["started_at"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""


def _error_of(folder: Path) -> str:
    try:
        return str(json.loads(read_text(folder / "result.json")).get("error", ""))
    except (OSError, ValueError, AttributeError, RecursionError):
        return ""


def _integer(tree: Mapping[str, Any], *names: str) -> int | None:
    value: Any = tree
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
