"""Report of a sweep before it starts: cells, calls, costs and hours."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from nip.errors import ParameterError, StorageError
from nip.experiment.checked import CheckedExperiment
from nip.run import prepare_checked
from nip.run_store.consistency import RESULT_FILE
from nip.run_store.database.origin import ENVIRONMENT_FILE
from nip.run_store.reading import read_parameters
from nip.run_store.run_id import existing_run_ids
from nip.sweeps.cell_state import read_state_of_cell
from nip.sweeps.cells import Cell, describe_values
from nip.sweeps.sweep_file import SweepParameters
from nip.utils.console import open_console
from nip.utils.files import read_text

_KIND = ("scenario", "trainer", "interaction_protocol")
"""Parameters of runs that are taken to need as long for each iteration."""

_MAX_ROWS = 40


@dataclass(frozen=True)
class CombinationPlan:
    """What the cells of one combination will need."""

    values: dict[str, Any]
    """The combination, without the seed."""

    num_cells: int
    """Cells that are not completed."""

    num_calls: int = 0
    """Calls of language models, of each cell."""

    expected: float = 0.0
    """Expected dollars, of each cell."""

    worst: float = 0.0
    """Most dollars, of each cell, if no call is repeated."""

    seconds: float | None = None
    """Seconds of each cell; None if nothing is known."""


def plan_sweep(cells: Sequence[Cell]) -> list[CombinationPlan]:
    """Build one experiment of each combination, and read off its sizes.

    Calls and costs are those of whole cells, also of cells that were interrupted.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        values = {name: value for name, value in cell.values.items() if name != "seed"}
        groups.setdefault(describe_values(values), []).append(cell)
    plans = []
    times: dict[Path, dict[tuple[str, ...], list[float]]] = {}
    for group in groups.values():
        left = [each for each in group if read_state_of_cell(each.folder).status != "completed"]
        if left:
            runs_dir = left[0].folder.parent
            if runs_dir not in times:
                times[runs_dir] = seconds_per_iteration(runs_dir)
            plans.append(_plan(left, times[runs_dir]))
    return plans


def print_plan_of_sweep(
    sweep: SweepParameters, cells: Sequence[Cell], console: Console | None = None
) -> None:
    """Print cells, calls, costs and hours."""
    console = console or open_console()
    plans = plan_sweep(cells)
    num_left = sum(plan.num_cells for plan in plans)
    rows = {"cells": f"{len(cells)}, of which {len(cells) - num_left} are completed"}
    if sweep.search == "optuna":
        rows["cells"] = (
            f"{(sweep.num_trials or 0) * max(1, len(sweep.seeds))}, proposed in batches of "
            f"{sweep.batch_size} trials; the extremes of all parameters were checked"
        )
    else:
        rows |= _totals(sweep, plans)
    table = Table(title=f"Would run {sweep.name}", title_justify="left", show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    if sweep.search != "optuna" and any(plan.values for plan in plans):
        console.print(_combinations(plans))
    console.print("Nothing was trained or written (dry_run=true).")


def seconds_per_iteration(runs_dir: Path) -> dict[tuple[str, ...], list[float]]:
    """Return how long completed runs took for each iteration, by scenario, trainer and protocol.

    Runs that were started more than once are left out, because it is not known how long they
    stood still.
    """
    found: dict[tuple[str, ...], list[float]] = {}
    for run_id in existing_run_ids(runs_dir):
        try:
            kind, seconds = _time_of_run(runs_dir / run_id)
        except (OSError, ValueError, LookupError, TypeError, ParameterError, StorageError):
            continue  # Not completed, or damaged.
        found.setdefault(kind, []).append(seconds)
    return found


def _time_of_run(folder: Path) -> tuple[tuple[str, ...], float]:
    result = json.loads(read_text(folder / RESULT_FILE))
    (start,) = json.loads(read_text(folder / ENVIRONMENT_FILE))["starts"]
    if result["status"] != "completed":
        raise ValueError(result["status"])
    begun = datetime.fromisoformat(start["started_at"]).timestamp()
    seconds = (folder / RESULT_FILE).stat().st_mtime - begun
    parameters = read_parameters(folder)
    return _kind_of(parameters), max(seconds, 0.0) / parameters["rl"]["num_iterations"]


def _kind_of(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(parameters[name]) for name in _KIND)


def _plan(cells: Sequence[Cell], times: Mapping[tuple[str, ...], list[float]]) -> CombinationPlan:
    experiment = cells[0].experiment
    values = {name: value for name, value in cells[0].values.items() if name != "seed"}
    num_calls, expected, worst = _cost_of(experiment)
    known = times.get(_kind_of(experiment.hyper_params.to_dict()))
    num_iterations = experiment.hyper_params.rl.num_iterations
    seconds = fmean(known) * num_iterations if known else None
    return CombinationPlan(values, len(cells), num_calls, expected, worst, seconds)


def _cost_of(experiment: CheckedExperiment) -> tuple[int, float, float]:
    """Return calls, expected dollars and most dollars of an experiment."""
    plan = prepare_checked(experiment)
    from nip.trainers.text.plan import TextPlan

    if not isinstance(plan, TextPlan):
        return 0, 0.0, 0.0
    num_calls = sum(agent.num_calls for agent in plan.agents)
    return num_calls, plan.expected.total, plan.worst.total


def _totals(sweep: SweepParameters, plans: Sequence[CombinationPlan]) -> dict[str, str]:
    """Describe the sums over all cells that are not completed."""
    rows = {}
    if any(plan.num_calls for plan in plans):
        num_calls = sum(plan.num_cells * plan.num_calls for plan in plans)
        expected = sum(plan.num_cells * plan.expected for plan in plans)
        worst = sum(plan.num_cells * plan.worst for plan in plans)
        rows["calls"] = f"{num_calls:,} at most, without retries"
        rows["cost"] = f"about ${expected:,.2f} expected, ${worst:,.2f} at most"
        if sweep.max_cost is not None:
            rows["budget"] = f"${sweep.max_cost:,.2f}"
            if expected > sweep.max_cost:
                rows["budget"] += ", which is less than the expected cost"
    known = [plan for plan in plans if plan.seconds is not None]
    num_left = sum(plan.num_cells for plan in plans)
    if num_left and len(known) == len(plans):
        seconds = sum(plan.num_cells * (plan.seconds or 0.0) for plan in plans)
        hours = seconds / min(sweep.workers, num_left) / 3600
        rows["hours"] = (
            f"about {hours:,.2f} with {sweep.workers} at once, at the speed of completed runs with "
            "the same scenario, trainer and protocol"
        )
    elif num_left:
        rows["hours"] = (
            "not known: no run with the same scenario, trainer and protocol has been completed in "
            "the folder of runs without an interruption"
        )
    return rows


def _combinations(plans: Sequence[CombinationPlan]) -> Table:
    table = Table(title="Combinations", title_justify="left")
    table.add_column("values", overflow="fold")
    asks = any(plan.num_calls for plan in plans)
    for name in ("cells", *(("calls", "expected", "at most") if asks else ())):
        table.add_column(name, justify="right")
    for row in _rows(plans[:_MAX_ROWS]):
        table.add_row(*row[: len(table.columns)])
    if len(plans) > _MAX_ROWS:
        table.add_row(f"and {len(plans) - _MAX_ROWS} more")
    return table


def _rows(plans: Sequence[CombinationPlan]) -> Iterator[tuple[str, ...]]:
    for plan in plans:
        costs: tuple[str, ...] = ("", "", "")
        if plan.num_calls:
            costs = (
                f"{plan.num_cells * plan.num_calls:,}",
                f"${plan.num_cells * plan.expected:,.2f}",
                f"${plan.num_cells * plan.worst:,.2f}",
            )
        yield describe_values(plan.values), str(plan.num_cells), *costs
