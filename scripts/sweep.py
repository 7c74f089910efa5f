"""Run many experiments from one file; the same command continues."""

from nip.command_line.start import begin_command_line

if __name__ == "__main__":
    begin_command_line("Stopped. The same command continues.")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nip.command_line.script_parser import ScriptParser, exit_code_of

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
The file names the parameters and their values; each combination and seed is a run of its own.
Completed runs are left alone, interrupted and failed ones are resumed, and added values or seeds
are new runs. Fields of the file can be changed on the command line.

examples:
  python scripts/sweep.py doc/examples/sweep.yaml dry_run=true
  python scripts/sweep.py doc/examples/sweep.yaml workers=2
"""
REPOSITORY = Path(__file__).resolve().parents[1]


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = ScriptParser(__doc__, EPILOG)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="YAML file of the sweep")
    add("fields", nargs="*", metavar="NAME=VALUE", help="fields of the file with other values")
    add("--config-dir", type=Path, metavar="DIR", help="folder with more named experiments")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sweep.

    Returns
    -------
    exit_code : int
        0 if all runs are completed, 1 if some have failed, 2 after a user error or if the budget is
        spent, 130 after Ctrl-C, or 75 after another signal that asks to stop.
    """
    options = build_parser().parse_args(arguments)
    codes: list[int] = []
    stopped = "\nStopped. The same command continues."
    code = exit_code_of(lambda: codes.append(sweep(options)), stopped)
    return code or codes[0]


def sweep(options: argparse.Namespace) -> int:
    """Read the file, and run or report the sweep."""
    from nip.command_line.config_folders import ConfigFolders
    from nip.command_line.errors import show_warnings_plainly
    from nip.errors import ParameterError
    from nip.sweeps.running import run_sweep
    from nip.sweeps.sweep_file import read_sweep_file

    show_warnings_plainly()
    extra = options.config_dir
    if extra is not None and not extra.is_dir():
        raise ParameterError(f"--config-dir {extra}: there is no such folder.")
    folders = ConfigFolders(REPOSITORY / "configs", None if extra is None else extra.resolve())
    command = [sys.executable, str(REPOSITORY / "scripts" / "run_experiment.py")]
    if extra is not None:
        command += ["--config-dir", str(extra.resolve())]
    return run_sweep(read_sweep_file(options.file, options.fields), folders, command)


if __name__ == "__main__":
    sys.exit(main())
