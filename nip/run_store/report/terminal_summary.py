"""Summary of a finished run in the terminal."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nip.run_store.report.bill_table import DIALOGUE_SHARES, bill_table, read_uncertain
from nip.run_store.report.main_metrics import TEST_PREFIX, main_metrics
from nip.utils.console import open_console
from nip.utils.files import read_text

if TYPE_CHECKING:
    from nip.run_store.run import Run

_MAX_ROWS = 16
_FILES = {
    "learning_curve.png": "plot of the main metrics",
    "result.json": "last value of every metric",
    "run.db": "all metrics, and all messages of language models (SQLite)",
    "metrics.csv": "all metrics, as a table",
    "tensorboard": "all metrics, for tensorboard --logdir",
    "wandb": "data for Weights & Biases",
    "profile": "profile of the running time",
    "rollouts": "samples of rollouts",
    "transcripts": "transcripts of the dialogues",
    "fine_tuning": "fine-tuning datasets",
    "checkpoints": "weights and training state",
}


def print_summary(run: "Run", console: Console | None = None) -> None:
    """Print the main metrics of a run, which may be closed, on both splits, and its files."""
    console = console or open_console()
    console.print()
    rows = _rows(run.history.latest_all())
    if rows:
        console.print(_table(run.run_id, rows))
    result = _read_result(run.folder)
    if bill := result.get("bill"):
        console.print(bill_table(bill, read_uncertain(run.folder)))
    if reason := result.get("stopped"):
        console.print(Text(f"Stopped early: {reason}"), soft_wrap=True)
    # Not wrapped, so that the path can be copied.
    console.print(Text(f"Where to look: {run.folder}"), soft_wrap=True)
    console.print(_files(run.folder))


def _read_result(folder: Path) -> dict[str, Any]:
    try:
        result = json.loads(read_text(folder / "result.json"))
    except (OSError, ValueError, RecursionError):
        # Whoever has changed it gets a shorter summary; the numbers are in run.db.
        return {}
    return result if isinstance(result, dict) else {}


def _rows(metrics: dict[str, float]) -> list[tuple[str, str, str]]:
    """Return name, training value and test value of each main metric."""
    rows: dict[str, list[str]] = {}
    for metric in main_metrics(metrics):
        cells = rows.setdefault(metric.key, ["", ""])
        cells[int(metric.is_test)] = f"{metrics[metric.name]:.4g}"
    shown = dict(list(rows.items())[:_MAX_ROWS])
    for name in DIALOGUE_SHARES:
        values = [metrics.get(f"{prefix}{name}") for prefix in ("", TEST_PREFIX)]
        if any(value is not None for value in values):
            shown[name] = ["" if value is None else f"{value:.4g}" for value in values]
    return [(name, *cells) for name, cells in shown.items()]  # type: ignore[misc]


def _table(run_id: str, rows: list[tuple[str, str, str]]) -> Table:
    has_test_values = any(test for _, _, test in rows)
    table = Table(title=f"Run {run_id}: last values", title_justify="left", title_style="bold")
    table.add_column("metric")
    table.add_column("training", justify="right")
    if has_test_values:
        table.add_column("test", justify="right", style="bold")
    for name, training, test in rows:
        table.add_row(name, training, *([test] if has_test_values else []))
    return table


def _files(folder: Path) -> Table:
    """Return the existing files and their contents."""
    files = Table.grid(padding=(0, 2))
    for name, meaning in _FILES.items():
        if (folder / name).exists():
            files.add_row("", Text(name, style="cyan"), meaning)
    return files
