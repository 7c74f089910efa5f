"""Base class of launchers, which execute the command lines of cells, and their registry."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nip.errors import ParameterError, did_you_mean
from nip.registry import Registry


@dataclass(frozen=True)
class Task:
    """The process of one cell."""

    run_id: str
    """Name of the run."""

    words: tuple[str, ...]
    """Program and arguments."""

    folder: Path
    """The working folder."""

    log: Path
    """File to which standard output and error are appended."""


class Job(ABC):
    """A task that was started."""

    @abstractmethod
    def exit_code(self) -> int | None:
        """Return the exit code of the process, negative after a signal; None while it runs."""

    @abstractmethod
    def stop(self) -> None:
        """Ask the process to save and to end."""


class Launcher(ABC):
    """Executes tasks.

    Parameters
    ----------
    options : Mapping[str, Any]
        ``launcher_options`` of the sweep.
    folder : Path
        Folder for files of the launcher.

    Raises
    ------
    ParameterError
        If an option does not exist, or the library of the launcher is not installed.
    """

    poll_s = 0.2
    """Seconds between looks at the jobs."""

    outlives_sweep = False
    """Whether jobs continue when the sweep is stopped, and are found when it is started again."""

    def __init__(self, options: Mapping[str, Any], folder: Path) -> None:
        self.options = dict(options)
        self.folder = folder

    @abstractmethod
    def start(self, task: Task) -> Job:
        """Start a task, or put it into a queue."""

    def find(self, run_id: str) -> Job | None:
        """Return the job of a run that an earlier sweep process has left; None if there is none."""
        return None

    def close(self) -> None:  # noqa: B027 - most launchers hold nothing
        """Release what the launcher holds, after all jobs have ended."""

    def check_options(self, known: tuple[str, ...]) -> None:
        """Raise ``ParameterError`` if an option is not one of these names."""
        for name in self.options:
            if name not in known:
                names = f"It has {', '.join(known)}." if known else "It has none."
                suggestion = did_you_mean(name, known)
                raise ParameterError(
                    f"launcher_options: this launcher has no option {name!r}. {suggestion} {names}"
                )


def missing_library(launcher: str, library: str, extra: str) -> ParameterError:
    """Return the error for a launcher whose library is not installed."""
    return ParameterError(
        f"launcher={launcher} needs the package {library}, which is not installed. Install it with "
        f"pip install 'nip[{extra}]', or use launcher=processes."
    )


launcher_registry: Registry[type[Launcher]] = Registry("launcher", "nip.sweeps.launchers")
"""All launchers by name."""
