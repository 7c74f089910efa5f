"""Compare groups of runs that differ in their seeds only: tables, intervals, figures."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.command_line.script_parser import command_parser, exit_code_of, import_plugins, output_file
from nip.errors import shown

if TYPE_CHECKING:
    from nip.comparison.results import Comparison

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
Groups are found from the stored parameters: runs of one group differ in seed only. The tables are
printed; --output also writes them, or a figure, by the ending of the file: .md, .tex, .csv, .png.

examples:
  {compare} 'nip-seed-*' 'debate-seed-*'
  {compare} 'ei-*' 'malt-*' --unit both --output results.md results.png
  {compare} --group honest a1 a2 a3 --group random b1 b2 b3 --at best
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("compare", EPILOG)
    add = parser.add_argument
    add("runs", nargs="*", metavar="RUN", help="run ids, folders, or patterns such as 'nip-*'")
    add(
        "--group",
        dest="groups",
        nargs="+",
        action="append",
        default=[],
        metavar="NAME",
        help="name of a group, and its runs; can be repeated, instead of RUN",
    )
    add("--metric", dest="metrics", nargs="+", metavar="M", help="metrics (the main one)")
    add("--statistic", choices=("mean", "iqm"), help="mean or interquartile mean (mean)")
    add("--at", type=_iteration, metavar="AT", help="common, last, best or iteration (common)")
    add("--mode", choices=("max", "min"), help="whether larger or smaller is better (max)")
    add(
        "--unit",
        choices=("seeds", "questions", "both"),
        help="what intervals generalise over; questions are paired (seeds)",
    )
    add("--interval", choices=("t", "percentile"), help="kind of interval (t)")
    add("--confidence", type=float, metavar="C", help="coverage of intervals (0.95)")
    add("--baseline", metavar="G", help="compare all groups with this one only (all pairs)")
    add("--ignore", nargs="+", metavar="P", help="parameters that may differ within a group")
    add("--across", nargs="+", metavar="P", help="parameters whose values are strata of a group")
    add(
        "--output",
        nargs="+",
        type=output_file(".md", ".tex", ".csv", ".png"),
        default=[],
        metavar="FILE",
        help="files to write",
    )
    parser.add_run_arguments()
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the comparison.

    Returns
    -------
    exit_code : int
        0, 2 after a user error, or 130 after Ctrl-C.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    if bool(options.runs) == bool(options.groups):
        both = "give either runs or groups with --group, not both"
        parser.error(both if options.runs else "give runs, or groups with --group")
    return exit_code_of(lambda: compare(options), "compare", parser=parser)


def compare(options: argparse.Namespace) -> None:
    """Compare the runs, and print and write the tables."""
    from nip.command_line.script_parser import given_fields
    from nip.comparison.compare import compare_runs
    from nip.comparison.results import ComparisonOptions
    from nip.comparison.tables import print_comparison

    import_plugins(options)
    runs = _groups(options.groups) if options.groups else options.runs
    chosen = ComparisonOptions(**given_fields(ComparisonOptions, options))
    comparison = compare_runs(runs, options.runs_dir, chosen)
    print_comparison(comparison)
    for path in options.output:
        _write(comparison, path)


def _groups(given: Sequence[Sequence[str]]) -> Mapping[str, list[str]]:
    from nip.errors import ParameterError

    groups: dict[str, list[str]] = {}
    for name, *runs in given:
        if name in groups:
            raise ParameterError(f"--group {name} is given twice. Give all its runs at once.")
        groups[name] = runs
    return groups


def _write(comparison: "Comparison", path: Path) -> None:
    from nip.comparison.tables import csv_text, latex, markdown
    from nip.utils.files import make_folder, write_atomically
    from nip.utils.unicode_text import visible

    make_folder(path.parent)
    texts: dict[str, Callable[[Any], str]] = {".md": markdown, ".tex": latex, ".csv": csv_text}
    if path.suffix in texts:
        write_atomically(path, texts[path.suffix](comparison))
    else:
        # Imported late, because most comparisons need no matplotlib.
        from nip.comparison.figure import draw_comparison

        draw_comparison(comparison, path)
    print(visible(f"Written to {path}"))


def _iteration(text: str) -> str | int:
    if text in ("common", "last", "best"):
        return text
    if text.isdecimal() and len(text) < 19:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"{shown(text)} should be common, last, best or the number of an iteration"
    )
