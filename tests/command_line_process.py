"""Running command lines of `scripts/run_experiment.py`, in this process or in one of their own."""

import os
import runpy
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from nip.command_line.application import main
from tests.fork_server import HEAVY, REPOSITORY, SCRIPT, Ending, Fork, fork_server

RUN_SCRIPT = f"{__name__}:run_script"
"""The function by which forks run any script."""


@dataclass(frozen=True)
class Outcome:
    """How a command line ended."""

    exit_code: int
    stdout: str
    stderr: str

    heavy_imports: list[str]
    """Which of ``HEAVY`` have been imported in this process, by this command line or before."""

    files: list[str]
    """What lies in the working folder."""


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


def call_command_line(arguments: Sequence[str]) -> Outcome:
    """Call the command line in this process, in the current folder."""
    stdout, stderr, exit_code = StringIO(), StringIO(), 0
    with (
        patch.object(sys, "argv", [str(SCRIPT)]),
        patch.object(sys, "path", list(sys.path)),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        try:
            main(arguments, REPOSITORY / "configs")
        except SystemExit as leaving:
            exit_code = int(leaving.code or 0)
    heavy_imports = sorted(HEAVY & set(sys.modules))
    files = sorted(path.name for path in Path.cwd().iterdir())
    return Outcome(exit_code, stdout.getvalue(), stderr.getvalue(), heavy_imports, files)


def call_command_lines(
    lines: Sequence[Sequence[str]], folder: Path | None = None, **environment: str
) -> list[Outcome]:
    """Call command lines one after the other in a fork without torch.

    They all run in the given folder; without one, each has an empty folder of its own.
    """
    ending = fork_server(with_torch=False).call(
        f"{__name__}:_call_one_after_the_other",
        lines,
        folder is not None,
        folder=folder,
        environment={**os.environ, "COLUMNS": "120", **environment},
    )
    assert ending.exit_code == 0, ending.stderr
    return [Outcome(**outcome) for outcome in ending.result]


def _call_one_after_the_other(
    lines: Sequence[Sequence[str]], is_shared: bool
) -> list[dict[str, Any]]:
    outcomes = []
    for arguments in lines:
        with TemporaryDirectory() as own:
            if not is_shared:
                os.chdir(own)
            outcomes.append(asdict(call_command_line(arguments)))
    return outcomes
