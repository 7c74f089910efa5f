"""What the page of one run shows beyond its summary: stages, checkpoints, jobs, costs, starts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nip.errors import NipError
from nip.run_store.checkpoints.checkpoint import read_best, saved_iterations
from nip.run_store.consistency import CHECKPOINTS, database_problem
from nip.run_store.database import RunDatabase
from nip.run_store.database.bill import UNCERTAIN_KEY, USAGE_KEY, WAITS_KEY
from nip.run_store.database.job_table import FineTuningJobRow
from nip.utils.files import read_text
from nip.viewer.runs.summary import state_of


@dataclass(frozen=True)
class StageRow:
    """The dialogues of one iteration and phase, and what its metrics say about them."""

    phase: str
    """``train`` or ``test``."""

    iteration: int
    """The iteration, counted from 1."""

    num_dialogues: int
    """Number of stored dialogues."""

    metrics: Mapping[str, float | None]
    """Metrics of the stage by name, without the prefix of the phase."""


@dataclass
class RunDetails:
    """What the page of one run shows beyond its summary."""

    problem: str = ""
    """What is wrong with the files of the run."""

    stages: list[StageRow] = field(default_factory=list)
    """Stages with dialogues, in chronological order."""

    checkpoints: list[int] = field(default_factory=list)
    """Iterations of the checkpoints."""

    best: dict[str, Any] = field(default_factory=dict)
    """Iteration, metric and value of the best checkpoint."""

    jobs: list[FineTuningJobRow] = field(default_factory=list)
    """Attempts at fine-tuning jobs."""

    accounts: list[dict[str, Any]] = field(default_factory=list)
    """Usage by agent and model."""

    uncertain: dict[str, Any] = field(default_factory=dict)
    """What lost answers may have cost."""

    waits: list[dict[str, str]] = field(default_factory=list)
    """Waits for services that are not over: model, since, until and reason."""

    starts: list[dict[str, Any]] = field(default_factory=list)
    """Starts of the run, the newest first."""


STAGE_METRICS = ("mean_accuracy", "completeness", "soundness", "failed_share", "undecided_share")


def read_details(folder: Path) -> RunDetails:
    """Read the details of a run; whatever cannot be read is stated in ``problem``."""
    details = RunDetails(starts=_starts(folder))
    try:
        details.problem = database_problem(folder) or ""
        details.checkpoints = saved_iterations(folder / CHECKPOINTS)
        best = read_best(folder / CHECKPOINTS)
        details.best = {} if best is None else vars(best)
        database = RunDatabase(folder / "run.db", read_only=True)
    except (NipError, OSError) as error:
        details.problem = str(error)
        return details
    try:
        details.stages = _stages(database)
        details.jobs = database.jobs.all()
        details.accounts = _accounts(state_of(database, USAGE_KEY))
        details.uncertain = state_of(database, UNCERTAIN_KEY) or {}
        details.waits = _waits(state_of(database, WAITS_KEY))
    except (NipError, OSError, ValueError) as error:
        details.problem = str(error)
    finally:
        database.close()
    return details


def _stages(database: RunDatabase) -> list[StageRow]:
    prefixed = [f"{prefix}{name}" for prefix in ("", "test_") for name in STAGE_METRICS]
    marks = ", ".join("?" for _ in prefixed)
    metrics: dict[tuple[int, str], float | None] = {}
    with database.transaction.reading() as connection:
        query = f"SELECT iteration, name, value FROM metrics WHERE name IN ({marks})"
        for iteration, name, value in connection.execute(query, prefixed):
            metrics[iteration, name] = value
        # "train" after "test" in the alphabet, but before it in time.
        counts = connection.execute(
            "SELECT phase, iteration, count(*) FROM rollouts GROUP BY phase, iteration "
            "ORDER BY iteration, phase DESC"
        ).fetchall()
    return [
        StageRow(phase, iteration, count, _of_stage(metrics, phase, iteration))
        for phase, iteration, count in counts
    ]


def _of_stage(
    metrics: Mapping[tuple[int, str], float | None], phase: str, iteration: int
) -> dict[str, float | None]:
    prefix = "test_" if phase == "test" else ""
    return {name: metrics.get((iteration, f"{prefix}{name}")) for name in STAGE_METRICS}


def _waits(state: Any) -> list[dict[str, str]]:
    names = ("since", "until", "reason")
    return [
        {"model": str(model), **{name: str(wait.get(name, "")) for name in names}}
        for model, wait in (state.items() if isinstance(state, Mapping) else ())
        if isinstance(wait, Mapping)
    ]


def _accounts(state: Any) -> list[dict[str, Any]]:
    rows = state.get("accounts") if isinstance(state, Mapping) else None
    return [
        {**row, "model_name": str(row["model"].get("model_name", ""))}
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and isinstance(row.get("model"), Mapping)
    ]


def _starts(folder: Path) -> list[dict[str, Any]]:
    try:
        starts = json.loads(read_text(folder / "environment.json"))["starts"]
        return [_start(each) for each in reversed(starts) if isinstance(each, Mapping)]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []


def _start(start: Mapping[str, Any]) -> dict[str, Any]:
    versions, git = start.get("versions"), start.get("git")
    command = start.get("command_line")
    words = command if isinstance(command, list) else [command or ""]
    return {
        "started_at": start.get("started_at", ""),
        "command_line": " ".join(map(str, words)),
        "versions": dict(versions) if isinstance(versions, Mapping) else {},
        "commit": str(git.get("commit", "")) if isinstance(git, Mapping) else "",
        "has_diff": bool(isinstance(git, Mapping) and git.get("diff")),
    }
