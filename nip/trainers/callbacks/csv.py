"""Callback that writes all metrics to a CSV file."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from nip.parameters.callbacks import CsvParameters
from nip.run_store import RunHistory
from nip.trainers.callbacks.logged_rows import logged_rows, run_folder
from nip.trainers.core.callback import Callback
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext
from nip.utils.files import write_atomically

FILE_NAME = "metrics.csv"

MISSING_SHARE = 0.1
"""Share of the rows that may be missing before a long file is written anew."""


@register_callback("csv", parameters=CsvParameters)
class Csv(Callback):
    """Writes ``metrics.csv`` into the folder of the run, with a row for each iteration.

    The first column is ``iteration``, the others are the metrics in alphabetical order. A metric
    without a value at an iteration leaves its cell empty.

    A row is appended. What does not fit (a new column, a value for an earlier iteration, a file
    that could not be written) needs a new file; in a long training this waits for further rows, so
    that a row costs the same however many there are, and for the end.
    """

    is_observer = True
    may_fail = True

    def __init__(self) -> None:
        self._path: Path | None = None
        self._is_stale = False
        self._num_rows = self._num_rows_missing = 0

    def on_train_start(self, context: TrainingContext) -> None:
        """Write the history, without values after the checkpoint of a resumed run."""
        folder = run_folder(context, "csv")
        if folder is not None:
            self._path = folder / FILE_NAME
            self._write_anew(self._path, context.history)

    def on_log(self, context: TrainingContext) -> None:
        """Append a row or extend the last one; rewrite a file that this does not suffice for."""
        if self._path is None:
            return
        iteration = context.metrics_iteration
        if iteration < self._last_iteration or not context.metrics.keys() <= set(self._names):
            self._is_stale = True
        if not self._is_stale:
            # Values of the history, so that a rewritten file is the same.
            metrics = {name: context.history.latest(name) for name in context.metrics}
            # Until it is written, the file may have half a row.
            self._is_stale = True
            self._is_stale = not self._write_row(self._path, iteration, metrics)
        if not self._is_stale:
            return
        self._num_rows_missing += 1
        if self._num_rows_missing > MISSING_SHARE * self._num_rows:
            self._write_anew(self._path, context.history)

    def on_train_end(self, context: TrainingContext) -> None:
        """Write what is missing."""
        if self._path is not None and self._is_stale:
            self._write_anew(self._path, context.history)

    def _write_anew(self, path: Path, history: RunHistory) -> None:
        self._is_stale, self._num_rows_missing = True, 0
        self._names = history.names()
        rows = logged_rows(history)
        self._last_iteration, self._last_row = rows[-1] if rows else (-1, {})
        lines = [_line(["iteration", *self._names])]
        lines += [self._row(iteration, metrics) for iteration, metrics in rows]
        self._start_of_last_row = sum(map(len, lines[: len(rows)]))
        self._size = sum(map(len, lines))
        self._num_rows = len(rows)
        write_atomically(path, b"".join(lines))
        self._is_stale = False

    def _write_row(self, path: Path, iteration: int, metrics: Mapping[str, float]) -> bool:
        """Append a row, or replace the last one; return False if somebody has changed the file."""
        with path.open("r+b") as file:
            if file.seek(0, io.SEEK_END) != self._size:
                return False
            if iteration == self._last_iteration:
                file.truncate(self._start_of_last_row)
                self._last_row |= metrics
            else:
                self._last_iteration, self._last_row = iteration, dict(metrics)
            self._start_of_last_row = file.seek(0, io.SEEK_END)
            file.write(self._row(iteration, self._last_row))
            self._size = file.tell()
        return True

    def _row(self, iteration: int, metrics: Mapping[str, float]) -> bytes:
        return _line([iteration, *(metrics.get(name, "") for name in self._names)])


def _line(cells: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
