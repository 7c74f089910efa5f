"""Run many experiments from one file; the same command continues."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nip.command_line.script_parser import command_parser, exit_code_of

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
The file names the parameters and their values; each combination and seed is a run of its own.
Completed runs are left alone, interrupted and failed ones are resumed, and added values or seeds
are new runs. Fields of the file can be changed on the command line.

examples:
  {sweep} doc/examples/sweep.yaml dry_run=true
  {sweep} doc/examples/sweep.yaml workers=2
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("sweep", EPILOG)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="YAML file of the sweep")
    add(
        "fields",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="fields of the file with other values",
    )
    add("--config-dir", metavar="DIR", help="folder with more named experiments")
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
    code = exit_code_of(lambda: codes.append(sweep(options)), "sweep")
    return code or codes[0]


def sweep(options: argparse.Namespace) -> int:
    """Read the file, and run or report the sweep; return the exit code."""
    from nip.command_line.application import config_folders
    from nip.command_line.config_folders import builtin_configs
    from nip.command_line.errors import show_warnings_plainly
    from nip.command_line.flags import parse_flags
    from nip.sweeps.running import run_sweep
    from nip.sweeps.sweep_file import read_sweep_file

    show_warnings_plainly()
    flags = [] if options.config_dir is None else ["--config-dir", options.config_dir]
    folders = config_folders(builtin_configs(), parse_flags(flags))
    # What scripts/run_experiment.py does, also where there is no clone.
    command = [sys.executable, "-m", "nip", "run", *flags]
    return run_sweep(read_sweep_file(options.file, options.fields), folders, command)
