"""What the terminal says about a run when it has ended."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nip.run_store.report.main_metrics import main_metrics

if TYPE_CHECKING:
    from nip.run_store.run import Run

_MAX_ROWS = 16
_FILES = {
    "learning_curve.png": "the course of the main metrics",
    "result.json": "the last value of every metric",
    "run.db": "every metric, and every message of language models (SQLite)",
    "metrics.csv": "every metric, as a table",
    "tensorboard": "every metric, for tensorboard --logdir",
    "wandb": "what goes to Weights & Biases",
    "profile": "where the time went",
    "rollouts": "samples of rollouts, for people to read",
    "transcripts": "the dialogues, for people to read",
    "fine_tuning": "what the models were fine-tuned on",
    "checkpoints": "weights and all other state",
}


def print_summary(run: "Run", console: Console | None = None) -> None:
    """Print how a run ended: its main metrics on both splits, and where to look.

    Parameters
    ----------
    run : Run
        The run; it may have been closed.
    console : Console, optional
        Where to print; by default the terminal.
    """
    console = console or Console()
    console.print()
    rows = _rows(run.history.latest_all())
    if rows:
        console.print(_table(run.run_id, rows))
    if reason := _stop_reason(run.folder):
        console.print(Text(f"Stopped early: {reason}"), soft_wrap=True)
    # Not broken into lines, so that the path can be copied.
    console.print(Text(f"Where to look: {run.folder}"), soft_wrap=True)
    console.print(_files(run.folder))


def _stop_reason(folder: Path) -> str | None:
    """Read why training was stopped before its end, if it was."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    reason = result.get("stopped")
    return None if reason is None else str(reason)


def _rows(metrics: dict[str, float]) -> list[tuple[str, str, str]]:
    """Put the value on the training split and that on the test split side by side."""
    rows: dict[str, list[str]] = {}
    for metric in main_metrics(metrics):
        cells = rows.setdefault(metric.key, ["", ""])
        cells[int(metric.is_test)] = f"{metrics[metric.name]:.4g}"
    return [(name, *cells) for name, cells in list(rows.items())[:_MAX_ROWS]]  # type: ignore[misc]


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
    """List the files that are there, and what is in them."""
    files = Table.grid(padding=(0, 2))
    for name, meaning in _FILES.items():
        if (folder / name).exists():
            files.add_row("", Text(name, style="cyan"), meaning)
    return files
