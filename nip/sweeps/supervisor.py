"""Execution of cells: start them, watch them, and report how each has ended."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from nip.errors import shortened
from nip.language_models.errors import BudgetExceededError, SharedBudgetExceededError
from nip.sweeps.cell_state import CellState, read_state_of_cell
from nip.sweeps.cells import Cell
from nip.sweeps.launcher import Job, Launcher, Task
from nip.sweeps.sweep_folder import SweepFolder
from nip.utils.stop_signals import EXIT_INTERRUPTED, EXIT_RESUME, SIGNALS

CellStatus = Literal[
    "waiting", "running", "in use", "completed", "failed", "out of budget", "stopped"
]

_MAX_MESSAGE = 400
_HEADER = "$ "
"""Beginning of the line of the log before the output of each process."""
_ERROR = "error: "
_IN_USE = "is in use by"


@dataclass
class CellProgress:
    """How far a cell is."""

    cell: Cell
    """The cell."""

    state: CellState
    """What its run folder said last."""

    status: CellStatus = "waiting"
    """What the sweep knows of it."""

    message: str = ""
    """Why it failed, or that its budget is spent."""

    seconds: float = 0.0
    """How long its processes took that were started by this sweep process."""

    job: Job | None = None
    """Its job while it runs."""

    is_asked_to_stop: bool = False
    """Whether the job was asked to save and to end."""

    started: float = field(default_factory=time.monotonic)
    """Time of the last start."""


class Watcher(Protocol):
    """Shows what happens."""

    def update(self, cells: Sequence[CellProgress]) -> None:
        """Show the present state of all cells."""

    def report(self, progress: CellProgress) -> None:
        """Show that a cell has been started, has ended, or is to be resumed."""


class Supervisor:
    """Executes cells until each is completed, has failed or is out of budget.

    Completed runs are left alone. Runs that another process has open are waited for. A cell whose
    process was asked to stop by somebody else is resumed.

    Parameters
    ----------
    folder : SweepFolder
        The opened folder of the sweep.
    launcher : Launcher
        Where the cells are executed.
    command : sequence of str
        Program and arguments that run an experiment, without its parameters.
    workers : int
        Largest number of cells at once.
    watcher : Watcher
        Shows what happens.
    """

    def __init__(
        self,
        folder: SweepFolder,
        launcher: Launcher,
        command: Sequence[str],
        workers: int,
        watcher: Watcher,
    ) -> None:
        self.cells: list[CellProgress] = []
        self.is_budget_spent = False
        self._folder, self._launcher, self._watcher = folder, launcher, watcher
        self._command, self._workers = tuple(command), workers
        self._is_stopping = False

    def request_stop(self) -> None:
        """Let all cells save and end, and start no more."""
        self._is_stopping = True

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._is_stopping

    def run(self, cells: Sequence[Cell]) -> list[CellProgress]:
        """Execute cells, and return how each has ended."""
        added = [self._add(cell) for cell in cells]
        queue = sorted(added, key=_urgency)
        while not self._is_done(added):
            for progress in added:
                self._look(progress)
            if self._is_stopping:
                self._stop(added)
            else:
                self._fill(queue, added)
            self._watcher.update(self.cells)
            if not self._is_done(added):
                time.sleep(self._launcher.poll_s)
        for progress in added:
            if progress.status == "waiting" and _is_out_of_budget(progress.state):
                # By an earlier sweep process, and not tried again by this one.
                progress.status = "out of budget"
        self._watcher.update(self.cells)
        return added

    def _is_done(self, added: Sequence[CellProgress]) -> bool:
        if self._is_stopping and self._launcher.outlives_sweep:
            return True
        statuses = {each.status for each in added}
        if self._is_stopping:
            return "running" not in statuses
        is_active = bool(statuses & {"running", "in use"})
        return not is_active and (self.is_budget_spent or "waiting" not in statuses)

    def _add(self, cell: Cell) -> CellProgress:
        for known in self.cells:
            if known.cell.run_id == cell.run_id:
                return known
        state = read_state_of_cell(cell.folder)
        progress = CellProgress(cell, state)
        if state.status == "completed":
            progress.status = "completed"
        elif (job := self._launcher.find(cell.run_id)) is not None:
            progress.job, progress.status = job, "running"
        elif state.status == "in use":
            progress.status = "in use"
        self.cells.append(progress)
        return progress

    def _fill(self, queue: Sequence[CellProgress], added: Sequence[CellProgress]) -> None:
        """Start waiting cells while workers are free."""
        num_active = sum(each.status in ("running", "in use") for each in added)
        for progress in queue:
            if num_active >= self._workers or self.is_budget_spent:
                return
            if progress.status == "waiting":
                self._start(progress)
                num_active += 1

    def _start(self, progress: CellProgress) -> None:
        cell = progress.cell
        words = (*self._command, *cell.overrides)
        task = Task(cell.run_id, words, Path.cwd(), self._folder.log_of(cell.run_id).absolute())
        # Before it starts, so that no process is unknown if this one is killed.
        self._folder.record("started", cell.run_id)
        with task.log.open("a", encoding="utf-8") as log:
            log.write(f"{_HEADER}{shlex.join(words)}\n")
        progress.job = self._launcher.start(task)
        progress.status, progress.started = "running", time.monotonic()
        self._watcher.report(progress)

    def _look(self, progress: CellProgress) -> None:
        """Notice the end of a cell."""
        if progress.status == "in use":
            progress.state = read_state_of_cell(progress.cell.folder)
            if progress.state.status != "in use":
                self._judge(progress, EXIT_RESUME)
        elif progress.status == "running":
            assert progress.job is not None
            code = progress.job.exit_code()
            if code is not None:
                progress.seconds += time.monotonic() - progress.started
                progress.job = None
                progress.state = read_state_of_cell(progress.cell.folder)
                self._judge(progress, code)

    def _judge(self, progress: CellProgress, code: int) -> None:
        """Decide from the run folder and the exit code how a cell has ended."""
        cell, state = progress.cell, progress.state
        message = _last_message(self._folder.log_of(cell.run_id))
        if state.status == "completed":
            self._end(progress, "completed")
        elif state.status == "in use":
            # A process that an earlier sweep process has left was faster.
            progress.status = "in use"
        elif _asks_to_resume(code) or (code != 0 and _IN_USE in message):
            self._end(progress, "stopped" if self._is_stopping else "waiting")
        else:
            stored = state.error if state.status == "failed" else None
            progress.message = stored or message or f"it ended with exit code {code}"
            if progress.message.startswith(SharedBudgetExceededError.__name__):
                self.is_budget_spent = True
            is_failure = not _is_out_of_budget(state)
            self._end(progress, "failed" if is_failure else "out of budget", exit_code=code)

    def _end(self, progress: CellProgress, status: CellStatus, **details: int) -> None:
        progress.status = status
        names = {"waiting": "interrupted", "stopped": "interrupted"}
        self._folder.record(
            names.get(status, status),
            progress.cell.run_id,
            seconds=round(progress.seconds, 3),
            **details,
        )
        self._watcher.report(progress)

    def _stop(self, added: Sequence[CellProgress]) -> None:
        for progress in added:
            if progress.job is not None and not progress.is_asked_to_stop:
                progress.is_asked_to_stop = True
                progress.job.stop()


def _urgency(progress: CellProgress) -> int:
    """Return the place in the queue: what was begun is finished first, and frees its budget."""
    order = {"in use": 0, "interrupted": 1, "new": 2, "failed": 3, "completed": 4}
    state = progress.state
    return order["interrupted" if _is_out_of_budget(state) else state.status]


def _is_out_of_budget(state: CellState) -> bool:
    """Tell whether a budget has stopped a run, that of the sweep or its own."""
    names = tuple(each.__name__ for each in (BudgetExceededError, SharedBudgetExceededError))
    return state.status == "failed" and (state.error or "").startswith(names)


def _asks_to_resume(code: int) -> bool:
    """Tell whether a process was asked to stop, maybe before it could handle the signal."""
    return code in (EXIT_RESUME, EXIT_INTERRUPTED) or -code in map(int, SIGNALS)


def _last_message(log: Path) -> str:
    """Return the last error message in the output of a run, else its last line."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    _, _, text = f"\n{text}".rpartition(f"\n{_HEADER}")
    lines = text.splitlines()[1:]
    errors = [line for line in lines if line.startswith(_ERROR)]
    last = errors or [line for line in lines if line.strip()]
    return shortened(last[-1].removeprefix(_ERROR), _MAX_MESSAGE) if last else ""
