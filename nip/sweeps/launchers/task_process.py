"""Execution of a task within a job of a library: a child process that is stopped in order."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from nip.sweeps.launcher import Task
from nip.utils.stop_signals import EXIT_RESUME

_POLL_S = 0.1


@dataclass
class TaskProcess:
    """A callable that runs a task in a child process, and returns its exit code.

    Attributes
    ----------
    task
        What to run.
    process
        The child process while it runs.
    """

    task: Task
    process: "subprocess.Popen[bytes] | None" = None

    def __call__(self) -> int:
        """Run the task to its end."""
        self.task.log.parent.mkdir(parents=True, exist_ok=True)
        with self.task.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.task.words,
                cwd=self.task.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()
        return self.process.wait()

    def save_and_end(self) -> None:
        """Let the child process save, and wait for its end. Signal handlers may call it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self._wait()

    def exit_code(self) -> int:
        """Return the exit code after the end; that of a run to resume if there was no process."""
        return EXIT_RESUME if self.process is None else self.process.wait()

    def _wait(self) -> None:
        """Wait without the lock of ``Popen``, which the interrupted frame may hold.

        Ray cancels a task by an exception that does not interrupt a system call.
        """
        assert self.process is not None
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        with suppress(ChildProcessError):
            while os.waitid(os.P_PID, self.process.pid, options) is None:
                time.sleep(_POLL_S)

    def forward(self, *numbers: signal.Signals) -> None:
        """Let signals to this process save and end the child process."""

        def stop(_number: int, _frame: FrameType | None) -> Any:
            if self.process is not None:
                self.process.send_signal(signal.SIGTERM)

        for number in numbers:
            signal.signal(number, stop)
