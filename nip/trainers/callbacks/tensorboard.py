"""Callback that writes all metrics for TensorBoard."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nip.parameters.callbacks import TensorBoardParameters
from nip.run_store import RunHistory
from nip.trainers.callbacks.extras import require_extra
from nip.trainers.callbacks.logged_rows import logged_rows, run_folder
from nip.trainers.core.callback import Callback
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"

SECONDS_TO_FLUSH = 10
"""Longest delay of the curves during training, in seconds."""


@register_callback("tensorboard", parameters=TensorBoardParameters)
class TensorBoard(Callback):
    """Writes the metrics to ``tensorboard/`` in the folder of the run, as scalars over iterations.

    The folder is rewritten when a run is resumed, so that no value appears twice, and at the end of
    a training during which it could not be written.
    """

    is_observer = True
    may_fail = True

    def __init__(self) -> None:
        require_extra("tensorboard", "tensorboard")
        self._folder: Path | None = None
        self._writer: SummaryWriter | None = None
        self._is_incomplete = False
        self._report_thread = threading.excepthook

    def on_train_start(self, context: TrainingContext) -> None:
        """Write the metrics of the history."""
        folder = run_folder(context, "tensorboard")
        if folder is not None:
            self._folder = folder / FOLDER
            self._report_thread, threading.excepthook = threading.excepthook, self._report_others
            self._write_anew(self._folder, context.history)

    def on_log(self, context: TrainingContext) -> None:
        """Write the metrics. A second value for an iteration replaces the first."""
        if self._folder is None or self._writer is None:
            return
        iteration, metrics = context.metrics_iteration, context.metrics
        if self._is_incomplete:
            # The thread of the writer has ended, so that all later values would fail as well.
            return
        try:
            if all(self._last_steps.get(name, -1) < iteration for name in metrics):
                self._write(self._writer, iteration, metrics)
            else:
                self._write_anew(self._folder, context.history)
        except Exception:
            self._is_incomplete = True
            raise

    def on_train_end(self, context: TrainingContext) -> None:
        """Close the file, and write what is missing."""
        if self._folder is None:
            return
        try:
            self._close(context.history)
        finally:
            threading.excepthook = self._report_thread

    def _close(self, history: RunHistory) -> None:
        assert self._folder is not None
        try:
            if self._writer is not None:
                self._writer.close()
        except Exception:
            self._is_incomplete = True
        if self._is_incomplete:
            self._writer = None
            self._write_anew(self._folder, history).close()

    def _write_anew(self, folder: Path, history: RunHistory) -> SummaryWriter:
        from torch.utils.tensorboard import SummaryWriter

        if self._writer is not None:
            self._writer.close()
        # rmtree would wait for a writer of a named pipe.
        if folder.is_dir():
            shutil.rmtree(folder)
        self._writer = SummaryWriter(folder, flush_secs=SECONDS_TO_FLUSH)
        self._last_steps: dict[str, int] = {}
        for iteration, metrics in logged_rows(history):
            self._write(self._writer, iteration, metrics)
        return self._writer

    def _report_others(self, failure: threading.ExceptHookArgs) -> None:
        """Report what has ended a thread, except those that write, whose errors are raised here."""
        if not type(failure.thread).__module__.startswith("tensorboard."):
            self._report_thread(failure)

    def _write(self, writer: SummaryWriter, iteration: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            writer.add_scalar(name, value, iteration)
            self._last_steps[name] = iteration
