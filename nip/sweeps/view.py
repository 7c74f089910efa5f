"""Table of a sweep on the terminal: live, with failures as they happen, and at the end."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from statistics import fmean
from typing import Self, get_args

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nip.run_store.report.main_metrics import PANELS, metrics_of_panel
from nip.sweeps.cell_state import iteration_of_cell
from nip.sweeps.cells import describe_values
from nip.sweeps.supervisor import CellProgress, CellStatus
from nip.utils.console import open_console

_ORDER: tuple[CellStatus, ...] = get_args(CellStatus)
_SECONDS_BETWEEN_READS = 2.0
_MAX_ROWS = 20


class SweepView:
    """Shows a live table on a terminal, and lines elsewhere.

    Parameters
    ----------
    name : str
        Name of the sweep.
    workers : int
        Largest number of cells at once.
    claimed : Callable[[], float | None]
        Returns the dollars that are spent or reserved; None without a budget.
    max_cost : float, optional
        The budget.
    console : Console, optional
        Where to show it; by default standard output.
    """

    def __init__(
        self,
        name: str,
        workers: int,
        claimed: Callable[[], float | None] = lambda: None,
        max_cost: float | None = None,
        console: Console | None = None,
    ) -> None:
        self.console = console or open_console()
        self._name, self._workers = name, workers
        self._claimed, self._max_cost = claimed, max_cost
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._last_read = 0.0

    def __enter__(self) -> Self:
        """Show the table."""
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Remove it."""
        if self.console.is_terminal:
            self._live.stop()

    def update(self, cells: Sequence[CellProgress]) -> None:
        """Show the present state of all cells, at most every two seconds."""
        now = time.monotonic()
        if self.console.is_terminal and now - self._last_read >= _SECONDS_BETWEEN_READS:
            self._last_read = now
            self._live.update(self._table(cells), refresh=True)

    def report(self, progress: CellProgress) -> None:
        """Print a line about a cell: bad ends in any case, the rest where no table is shown."""
        cell, status = progress.cell, progress.status
        if status == "failed":
            log = f"its output is in the folder logs of {self._name}.sweep"
            self._print(f"{cell.run_id} failed: {progress.message} ({log})", "red")
        elif status == "out of budget":
            self._print(f"{cell.run_id} is out of budget: {progress.message}", "yellow")
        elif not self.console.is_terminal:
            words = {"running": "started", "waiting": "was interrupted, and will be resumed"}
            self._print(f"{cell.run_id} {words.get(status, status)}")

    def print_summary(self, cells: Sequence[CellProgress]) -> None:
        """Print how all cells have ended, and the main metric of each."""
        table = Table(title=self._summary(cells), title_justify="left")
        metric = main_metric(cells)
        for column in ("run", "status", *([metric] if metric else [])):
            table.add_column(column, overflow="fold")
        has_cost = any(each.state.cost for each in cells)
        if has_cost:
            table.add_column("cost", justify="right")
        for each in cells:
            row = [each.cell.run_id, each.status]
            if metric:
                value = each.state.metrics.get(metric)
                row.append("" if value is None else f"{value:.4g}")
            if has_cost:
                row.append(f"${each.state.cost:,.2f}")
            table.add_row(*row)
        self.console.print(table)

    def _table(self, cells: Sequence[CellProgress]) -> RenderableType:
        table = Table(show_header=True, title_justify="left")
        table.add_column("run", overflow="fold")
        table.add_column("iteration", justify="right", no_wrap=True)
        table.add_column("values", overflow="fold")
        running = [each for each in cells if each.status in ("running", "in use")]
        iterations = {each.cell.run_id: iteration_of_cell(each.cell.folder) for each in running}
        for each in running[:_MAX_ROWS]:
            total = each.cell.experiment.hyper_params.rl.num_iterations
            table.add_row(
                each.cell.run_id,
                f"{iterations[each.cell.run_id] or 0} / {total}",
                describe_values(each.cell.values),
            )
        if len(running) > _MAX_ROWS:
            table.add_row(f"and {len(running) - _MAX_ROWS} more")
        return Group(Text(self._summary(cells, iterations)), table)

    def _summary(
        self, cells: Sequence[CellProgress], iterations: Mapping[str, int | None] | None = None
    ) -> str:
        counts = Counter(each.status for each in cells)
        parts = [f"{counts[status]} {status}" for status in _ORDER if counts[status]]
        claimed = self._claimed()
        if claimed is not None and self._max_cost is not None:
            parts.append(f"${claimed:,.2f} of ${self._max_cost:,.2f} spent or reserved")
        times = [each.seconds for each in cells if each.status == "completed" and each.seconds]
        left = [
            _share_left(each, (iterations or {}).get(each.cell.run_id))
            for each in cells
            if each.status in ("waiting", "running")
        ]
        if times and left:
            seconds = fmean(times) * max(sum(left) / min(self._workers, len(left)), *left)
            parts.append(f"about {timedelta(seconds=round(seconds))} left")
        return f"{self._name}: {len(cells)} cells, {', '.join(parts)}"

    def _print(self, text: str, style: str | None = None) -> None:
        self.console.print(Text(text), style=style, soft_wrap=True)


def _share_left(progress: CellProgress, iteration: int | None) -> float:
    """Return the share of its iterations that a cell has before it."""
    total = progress.cell.experiment.hyper_params.rl.num_iterations
    return 1 - min(iteration or 0, total) / total


def main_metric(cells: Sequence[CellProgress]) -> str | None:
    """Return the most important metric that the completed cells have; None without one."""
    names = [name for each in cells for name in each.state.metrics]
    for panel in PANELS:
        if found := metrics_of_panel(panel, dict.fromkeys(names)):
            tested = [metric.name for metric in found if metric.is_test]
            return (tested or [found[0].name])[0]
    return None
