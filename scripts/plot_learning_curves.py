"""Draw one metric of several runs in one picture.

python scripts/plot_learning_curves.py demo demo_random_prover --line 0.64:"ceiling" --smooth 5
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nip.errors import NipError
from nip.run_store import RunHistory, read_history


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, draw the picture, and say where it is.

    Returns
    -------
    exit_code : int
        0, or 2 after a mistake of the user.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if len(options.label) > len(options.runs):
        parser.error(f"{len(options.label)} labels for {len(options.runs)} run(s)")
    # Imported after the command line is known to be sound: --help need not wait for matplotlib.
    from nip.run_store.report.comparison_plot import ReferenceLine, draw_comparison

    output = options.output or options.runs_dir / "learning_curves.png"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        draw_comparison(
            _read_histories(options.runs, options.label, options.runs_dir),
            options.metric,
            output,
            [ReferenceLine(value, label) for value, label in options.line],
            options.smooth,
            options.title,
        )
    except (NipError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"Learning curves: {output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Draw one metric of several runs in one picture.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run id, or the folder of a run")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--metric", default="mean_accuracy", help="default: mean_accuracy")
    parser.add_argument(
        "--line",
        type=_reference_line,
        action="append",
        default=[],
        metavar="VALUE:LABEL",
        help="dashed horizontal line to compare with; may be given several times",
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="LABEL",
        help="name of a run in the legend, in the order of the runs; default: the run id",
    )
    parser.add_argument(
        "--smooth",
        type=_positive,
        default=1,
        metavar="N",
        help="draw the mean of N neighbouring iterations over the faint original; default: 1",
    )
    parser.add_argument("--title", help="default: the name of the metric")
    parser.add_argument(
        "--output", type=Path, help="PNG file to write; default: learning_curves.png in RUNS_DIR"
    )
    return parser


def _reference_line(text: str) -> tuple[float, str]:
    value, _, label = text.partition(":")
    try:
        return float(value), label or "reference"
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} should be a number, a colon and a label, for example 0.64:ceiling"
        ) from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number of at least 1")
    return int(text)


def _read_histories(
    runs: Sequence[str], labels: Sequence[str], runs_dir: Path
) -> dict[str, RunHistory]:
    """Read the runs by the names that they get in the legend."""
    histories = {}
    for position, run in enumerate(runs):
        # A run id has no separator, so anything with one is the path of a folder.
        folder = Path(run) if Path(run).name != run else runs_dir / run
        label = labels[position] if position < len(labels) else folder.name
        # Runs of one name in two folders must not hide each other.
        histories[str(folder) if label in histories else label] = read_history(folder)
    return histories


if __name__ == "__main__":
    sys.exit(main())
