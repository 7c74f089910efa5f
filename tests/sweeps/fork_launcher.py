"""A launcher whose cells are forks of the sweep's process, so that each starts in milliseconds."""

import os
import signal
import sys
from pathlib import Path

from nip.commands.main import main
from nip.run_store.report import learning_curve
from nip.sweeps.launcher import Job, Launcher, Task, launcher_registry
from nip.utils import stop_signals
from tests.command_line_process import run_script
from tests.fork_server import REPOSITORY, _exit_code

NAME = "forks"
RUN = f"{__name__}:run_sweep"
"""The function by which forks run a sweep."""


class ForkJob(Job):
    """A forked process, whose number is in a file beside its log."""

    def __init__(self, task: Task) -> None:
        self._pid = os.fork()
        if self._pid == 0:
            os._exit(_run(task))
        task.log.with_suffix(".pid").write_text(str(self._pid))
        self._code: int | None = None

    def exit_code(self) -> int | None:
        if self._code is None:
            found, status = os.waitpid(self._pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if found else None
        return self._code

    def stop(self) -> None:
        os.kill(self._pid, signal.SIGTERM)


class ForkLauncher(Launcher):
    """Forks for each task."""

    poll_s = 0.02

    def start(self, task: Task) -> Job:
        return ForkJob(task)


def run_sweep(*arguments: str) -> None:
    """Do what ``python scripts/sweep.py arguments`` does, with this launcher; for a fork."""
    launcher_registry.register(NAME, ForkLauncher)
    run_script(str(REPOSITORY / "scripts" / "sweep.py"), *arguments)


def pids_of_cells(sweep_folder: Path) -> list[int]:
    """Return the numbers of all processes of cells that were started so far."""
    files = sweep_folder.glob("logs/*.pid")
    return [int(text) for path in files if (text := path.read_text())]


def _run(task: Task) -> int:
    """Run a task in the fork, which begins without the signal handlers of the sweep."""
    os.setsid()
    for number in stop_signals.SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    stop_signals._state = stop_signals._State()
    # Other tests draw pictures of runs, each of which takes a second.
    learning_curve.draw_learning_curve = lambda *_: None  # type: ignore[assignment]
    log = os.open(task.log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    code = 0
    try:
        words = list(task.words[1:])
        assert words[:2] == ["-m", "nip"]
        sys.argv = ["nip", *words[2:]]
        code = main()
    except SystemExit as leaving:
        code = _exit_code(leaving)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code
