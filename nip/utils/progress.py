"""Progress bar with metrics, or plain lines of text if the output is not a terminal."""

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

from nip.utils.console import open_console
from nip.utils.unicode_text import visible

_SECONDS_BETWEEN_LINES = 30.0
_SHARE_BETWEEN_LINES = 0.01


class ProgressBar:
    """Progress of a loop: completed steps, speed, and latest metrics.

    On a terminal, a live bar. Otherwise (a file, a batch system) occasional lines: at most two per
    minute and a hundred in total, and one at the end. Use it as a context manager. The default
    console is standard output.
    """

    def __init__(
        self, description: str, total: int, enabled: bool = True, console: Console | None = None
    ) -> None:
        self._description = visible(description)
        self._total = total
        self._completed = 0
        self._metrics: dict[str, float] = {}
        self._console = console or open_console()
        is_live = enabled and self._console.is_terminal
        self._live = _LiveBar(self._description, total, self._console) if is_live else None
        self._lines = _Lines(self._console) if enabled and not is_live else None

    def advance(self, count: int = 1) -> None:
        """Report completed steps."""
        self._completed += count
        if self._live is not None:
            self._live.advance(self._live.task_id, count)
        if self._lines is not None:
            self._lines.advance(self._description, self._completed, self._total, self._metrics)

    def set_description(self, description: str) -> None:
        """Replace the text before the bar."""
        self._description = visible(description)
        if self._live is not None:
            self._live.update(self._live.task_id, description=self._description)

    def set_metrics(self, metrics: Mapping[str, float]) -> None:
        """Replace the metrics shown, in this order."""
        self._metrics = dict(metrics)
        if self._live is not None:
            self._live.metrics = format_metrics(metrics)

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop updating the bar; it stays on the screen."""
        if self._live is not None:
            self._live.stop()


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Format metrics in one line."""
    return "  ".join(f"{visible(name)} {_format_value(value)}" for name, value in metrics.items())


def _format_value(value: float) -> str:
    """Format large integers in full, and round everything else to three digits."""
    is_large_count = float(value).is_integer() and 1000 <= abs(value) < 1e12
    return f"{value:,.0f}" if is_large_count else f"{value:.3g}"


class _RateColumn(ProgressColumn):
    """Steps per second, or seconds per step where these are slow."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(_format_rate(speed), style="progress.data.speed")


class _LiveBar(Progress):
    """A bar with the metrics on a line below it, so that both fit into a narrow window."""

    def __init__(self, description: str, total: int, console: Console) -> None:
        self.metrics = ""
        super().__init__(
            TextColumn("{task.description}", markup=False),
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
    """Prints a line when one is due."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_time = time.monotonic()
        self._last_completed = 0
        self._rate = _Rate()

    def advance(
        self, description: str, completed: int, total: int, metrics: Mapping[str, float]
    ) -> None:
        now = time.monotonic()
        self._rate.record(now, completed)
        if not self._is_due(now, completed, total):
            return
        self._last_time, self._last_completed = now, completed
        rate = self._rate.per_second()
        prefix = f"{description}: " if description else ""
        left = _format_left(total - completed, rate)
        parts = (f"{completed}/{total}", _format_rate(rate), left, format_metrics(metrics))
        self._console.print(
            prefix + ", ".join(part for part in parts if part),
            markup=False,
            emoji=False,
            highlight=False,
            soft_wrap=True,
        )

    def _is_due(self, now: float, completed: int, total: int) -> bool:
        if completed == total:
            return self._last_completed < total
        return (
            completed - self._last_completed >= _SHARE_BETWEEN_LINES * total
            and now - self._last_time >= _SECONDS_BETWEEN_LINES
        )


class _Rate:
    """Speed since the first report, whose steps may have been completed by an earlier process."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)

    def record(self, now: float, completed: int) -> None:
        self._last = (now, completed)
        self._first = self._first or self._last

    def per_second(self) -> float | None:
        if self._first is None or self._last[0] <= self._first[0]:
            return None
        return (self._last[1] - self._first[1]) / (self._last[0] - self._first[0])


def _format_left(num_steps: int, rate: float | None) -> str:
    return f"{timedelta(seconds=round(num_steps / rate))} left" if num_steps and rate else ""


def _format_rate(per_second: float | None) -> str:
    if not per_second:
        return ""
    return f"{per_second:.3g}/s" if per_second >= 1 else f"{1 / per_second:.3g} s each"
