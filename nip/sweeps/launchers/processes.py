"""Launcher ``processes``: processes on this machine."""

import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nip.sweeps.launcher import Job, Launcher, Task, launcher_registry


class ProcessJob(Job):
    """A process.

    It has a session of its own, because Ctrl-C in the terminal is for the sweep, which then stops
    its cells one time each: a second Ctrl-C would end them without saving.
    """

    def __init__(self, task: Task) -> None:
        with task.log.open("ab") as log:
            self.process = subprocess.Popen(
                task.words,
                cwd=task.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def exit_code(self) -> int | None:
        """Return the exit code, negative after a signal; None while the process runs."""
        return self.process.poll()

    def stop(self) -> None:
        """Send SIGTERM, upon which a run saves and ends."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)


@launcher_registry.register("processes")
class ProcessLauncher(Launcher):
    """Starts one process for each task."""

    def __init__(self, options: Mapping[str, Any], folder: Path) -> None:
        super().__init__(options, folder)
        self.check_options(())

    def start(self, task: Task) -> Job:
        """Start a process."""
        return ProcessJob(task)
