"""Plot metrics of several runs in one figure."""

import argparse
from collections.abc import Sequence
from math import isfinite, nan
from pathlib import Path

from nip.command_line.script_parser import (
    command_parser,
    exit_code_of,
    output_file,
    positive_integer,
    run_folder,
)
from nip.run_store import RunHistory, read_history
from nip.utils.unicode_text import visible

EPILOG = """\
example:
  {plot} demo demo_random_prover --line 0.64:ceiling --smooth 5
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("plot", EPILOG)
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="run id, or the folder of a run")
    add("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="folder of runs (runs)")
    add(
        "--metric",
        action="append",
        default=[],
        metavar="METRIC",
        help="name of a metric; several get a panel each; can be repeated (mean_accuracy)",
    )
    add(
        "--line",
        type=_reference_line,
        action="append",
        default=[],
        metavar="VALUE:LABEL",
        help="dashed horizontal reference line; can be repeated",
    )
    add(
        "--label",
        action="append",
        default=[],
        metavar="LABEL",
        help="legend labels of the runs, in their order; can be repeated (the run ids)",
    )
    add(
        "--smooth",
        type=positive_integer,
        default=1,
        metavar="N",
        help="plot the moving mean of N iterations over the faint original (1)",
    )
    add("--title", help="title of the figure (the name of a single metric)")
    add(
        "--output",
        type=output_file(".png"),
        metavar="FILE",
        help="PNG file to write (learning_curves.png in the folder of runs)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Plot the runs and print the path of the figure.

    Returns
    -------
    exit_code : int
        0, 2 after a user error, or 130 after Ctrl-C.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    if len(options.label) > len(options.runs):
        parser.error(f"{len(options.label)} labels for {len(options.runs)} run(s)")
    return exit_code_of(lambda: plot(options), "plot")


def plot(options: argparse.Namespace) -> None:
    """Write the figure."""
    # Imported late, because --help need not wait for matplotlib.
    from nip.run_store.report.comparison_plot import ReferenceLine, draw_comparison
    from nip.utils.files import make_folder

    output = options.output or options.runs_dir / "learning_curves.png"
    make_folder(output.parent)
    draw_comparison(
        _read_histories(options.runs, options.label, options.runs_dir),
        options.metric or ["mean_accuracy"],
        output,
        [ReferenceLine(value, label) for value, label in options.line],
        options.smooth,
        options.title,
    )
    print(visible(f"Learning curves: {output}"))


def _reference_line(text: str) -> tuple[float, str]:
    value, _, label = text.partition(":")
    try:
        number = float(value)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise argparse.ArgumentTypeError(
            f"{text!r} should be a number, a colon and a label, for example 0.64:ceiling"
        )
    return number, label or "reference"


def _read_histories(
    runs: Sequence[str], labels: Sequence[str], runs_dir: Path
) -> dict[str, RunHistory]:
    """Read the metrics of the runs by their legend labels."""
    histories = {}
    for position, run in enumerate(runs):
        folder = run_folder(run, runs_dir)
        label = labels[position] if position < len(labels) else folder.name
        # Two runs of the same name in different folders need different labels.
        histories[str(folder) if label in histories else label] = read_history(folder)
    return histories
