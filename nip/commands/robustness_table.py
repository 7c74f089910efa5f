"""Tabulate attacks on the runs of several experiments, with means over runs and intervals."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nip.command_line.script_parser import command_parser, exit_code_of, output_file, run_folder

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
Each row is the mean over runs that differ in their seed. The runs must have been attacked with
{attack}. The table is printed and written as Markdown, with a picture beside it.

example:
  {robustness-table} --row nip nip-seed-1 nip-seed-2 nip-seed-3 \\
      --row debate debate-seed-1 debate-seed-2 debate-seed-3
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("robustness-table", EPILOG)
    add = parser.add_argument
    add(
        "--row",
        dest="rows",
        nargs="+",
        action="append",
        required=True,
        metavar="NAME",
        help="name of a row, and its runs by id or folder; can be repeated",
    )
    add("--dataset", metavar="D", help="attacks on this dataset (that of the runs)")
    add("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="folder of runs (runs)")
    add(
        "--output",
        type=output_file(".md"),
        metavar="FILE",
        help="Markdown file to write (robustness.md in the folder of runs)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the table.

    Returns
    -------
    exit_code : int
        0, 2 after a user error, or 130 after Ctrl-C.
    """
    options = build_parser().parse_args(arguments)
    return exit_code_of(lambda: tabulate(options), "robustness-table")


def tabulate(options: argparse.Namespace) -> None:
    """Read the reports, and print and write the table."""
    from nip.errors import ParameterError
    from nip.robustness.table import markdown_table, read_row, write_table

    rows = []
    for name, *runs in options.rows:
        if not runs:
            raise ParameterError(f"--row {name} names no runs. Give at least one after the name.")
        folders = [run_folder(run, options.runs_dir) for run in runs]
        if repeated := [each for each in folders if folders.count(each) > 1]:
            raise ParameterError(
                f"--row {name} names the run {repeated[0]} twice. Every run counts once: leave one "
                "out."
            )
        rows.append(read_row(name, folders, options.dataset))
    path = options.output or options.runs_dir / "robustness.md"
    write_table(rows, path)
    print(markdown_table(rows), end="")
    print(f"Written to {path} and {path.with_suffix('.png')}")
