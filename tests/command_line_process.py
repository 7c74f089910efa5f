"""Running `scripts/run_experiment.py` as a user does: in a process of its own."""

import os
import runpy
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fork_server import REPOSITORY, SCRIPT, Ending, Fork, fork_server

__all__ = ["REPOSITORY", "RUN_SCRIPT", "SCRIPT", "run_command_line", "start_command_line"]

RUN_SCRIPT = f"{__name__}:run_script"
"""The function by which forks run any script."""


def run_command_line(
    arguments: Sequence[str], folder: Path, *, imports_matter: bool = True, **environment: str
) -> Ending:
    """Run the script in a folder, and wait for its end.

    Parameters
    ----------
    arguments : sequence of str
        The command line.
    folder : Path
        The working folder.
    imports_matter : bool
        Whether the process begins without torch, as a user's does. Without this, a run of
        networks begins seconds earlier, and what it has imported means nothing.
    **environment : str
        Further environment variables.
    """
    ending = start_command_line(
        arguments, folder, imports_matter=imports_matter, **environment
    ).wait(280)
    assert ending is not None
    return ending


def start_command_line(
    arguments: Sequence[str], folder: Path, *, imports_matter: bool = True, **environment: str
) -> Fork:
    """Start the script in a folder, as `run_command_line` does."""
    return fork_server(with_torch=not imports_matter).start(
        RUN_SCRIPT,
        str(SCRIPT),
        *arguments,
        folder=folder,
        environment={**os.environ, "COLUMNS": "120", **environment},
    )


def run_script(script: str, *arguments: str) -> None:
    """Do what ``python script arguments`` does, in a fresh process."""
    # Shells let what they start in the background ignore Ctrl-C, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")
