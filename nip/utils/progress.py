"""A progress bar with the figures that matter; plain lines where there is no terminal."""

import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_SECONDS_BETWEEN_LINES = 30.0
_SHARE_BETWEEN_LINES = 0.01


class ProgressBar:
    """Shows how far a loop is, how fast it goes, and its latest figures.

    On a terminal, a live bar. Elsewhere (a file, a batch system) a line now and then: at most two a
    minute and a hundred in all, and one at the end. Used in a `with` statement.

    Parameters
    ----------
    description
        What is being done.
    total
        Number of steps of the whole.
    enabled
        Whether to show anything at all.
    console
        Where to show it; by default standard output.
    """

    def __init__(
        self, description: str, total: int, enabled: bool = True, console: Console | None = None
    ) -> None:
        self._description = description
        self._total = total
        self._completed = 0
        self._metrics: dict[str, float] = {}
        self._console = console or Console()
        is_live = enabled and self._console.is_terminal
        self._live = _LiveBar(description, total, self._console) if is_live else None
        self._lines = _Lines(self._console) if enabled and not is_live else None

    def advance(self, count: int = 1) -> None:
        """Say that steps have been done."""
        self._completed += count
        if self._live is not None:
            self._live.advance(self._live.task_id, count)
        if self._lines is not None and self._lines.is_due(self._completed, self._total):
            self._lines.print(self._description, self._completed, self._total, self._metrics)

    def set_description(self, description: str) -> None:
        """Say what is being done now."""
        self._description = description
        if self._live is not None:
            self._live.update(self._live.task_id, description=description)

    def set_metrics(self, metrics: Mapping[str, float]) -> None:
        """Show these figures from now on, in this order, in place of those before."""
        self._metrics = dict(metrics)
        if self._live is not None:
            self._live.metrics = format_metrics(metrics)

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the bar on the screen as it is."""
        if self._live is not None:
            self._live.stop()


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Write figures in one line."""
    return "  ".join(f"{name} {value:.3g}" for name, value in metrics.items())


class _RateColumn(ProgressColumn):
    """Steps per second, or seconds per step where these are slow."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(_format_rate(speed) if speed else "", style="progress.data.speed")


class _LiveBar(Progress):
    """A bar with a line of figures below it: beside it, a narrow window would have no room."""

    def __init__(self, description: str, total: int, console: Console) -> None:
        self.metrics = ""
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self.task_id = self.add_task(description, total=total)

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        if self.metrics:
            yield Text(f"  {self.metrics}", style="cyan", no_wrap=True, overflow="ellipsis")


class _Lines:
    """Decides when another line is due, and prints it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._last_time = self._started
        self._last_completed = 0

    def is_due(self, completed: int, total: int) -> bool:
        if completed == total:
            return self._last_completed < total
        return (
            completed - self._last_completed >= _SHARE_BETWEEN_LINES * total
            and time.monotonic() - self._last_time >= _SECONDS_BETWEEN_LINES
        )

    def print(
        self, description: str, completed: int, total: int, metrics: Mapping[str, float]
    ) -> None:
        self._last_time, self._last_completed = time.monotonic(), completed
        rate = completed / max(self._last_time - self._started, 1e-9)
        remaining = timedelta(seconds=round((total - completed) / rate))
        left = f"{remaining} left" if completed < total else ""
        figures = [f"{completed}/{total}", _format_rate(rate), left, format_metrics(metrics)]
        prefix = f"{description}: " if description else ""
        self._console.print(
            prefix + ", ".join(part for part in figures if part),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _format_rate(per_second: float) -> str:
    return f"{per_second:.3g}/s" if per_second >= 1 else f"{1 / per_second:.3g} s each"
