"""Events of a job: messages, and the loss of each update."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nip.language_models.errors import FineTuningError

if TYPE_CHECKING:
    from torch import Tensor

_FLUSH_PERIOD_S = 1.0


class EventLog:
    """Appends events to a file, one JSON object per line.

    Parameters
    ----------
    path : Path | None
        The file; None: events are dropped, in all processes of a job but the first.
    num_kept : int
        Number of its events that belong to the checkpoint from which the job continues; those after
        them are repeated.
    """

    def __init__(self, path: Path | None, num_kept: int) -> None:
        self._file = None
        self.num_events = 0
        self._last_flush = time.monotonic()
        if path is None:
            return
        lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
        self.num_events = min(num_kept, len(lines))
        path.write_text("".join(lines[: self.num_events]), "utf-8")
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write all events and close the file."""
        if self._file is not None:
            self._file.close()

    def message(self, text: str, level: str = "info") -> None:
        """Append a message."""
        self.append({"level": level, "type": "message", "message": text, "data": None})
        self.flush()

    def append(self, event: Mapping[str, Any]) -> None:
        """Append an event, which readers see within a second or two."""
        if self._file is None:
            return
        self._file.write(json.dumps(event) + "\n")
        self.num_events += 1
        if time.monotonic() - self._last_flush > _FLUSH_PERIOD_S:
            self.flush()

    def flush(self) -> None:
        """Let readers see all events."""
        self._last_flush = time.monotonic()
        if self._file is not None:
            self._file.flush()


class LossLog:
    """Writes the losses of updates as events, in groups, because reading one waits for a GPU.

    Parameters
    ----------
    log : EventLog
        Where they are written.
    num_updates : int
        Number of updates of the job.
    group_size : int
        Number of losses that are read together.
    """

    def __init__(self, log: EventLog, num_updates: int, group_size: int) -> None:
        self._log = log
        self._num_updates = num_updates
        self._group_size = group_size
        self._unread: list[tuple[int, Tensor, Mapping[str, float | Tensor]]] = []

    def add(self, number: int, loss: "Tensor", data: "Mapping[str, float | Tensor]") -> None:
        """Add the loss of an update, counted from 1, and further numbers.

        Raises
        ------
        FineTuningError
            If a loss is not finite.
        """
        self._unread.append((number, loss, data))
        if len(self._unread) >= self._group_size:
            self.read()

    def read(self) -> None:
        """Write all losses; raise ``FineTuningError`` if one is not finite."""
        unread, self._unread = self._unread, []
        for number, tensor, data in unread:
            loss = float(tensor)
            if not math.isfinite(loss):
                raise FineTuningError(
                    f"The training loss of update {number} is {loss}. Lower "
                    "local_training.learning_rate or fine_tuning.learning_rate_multiplier."
                )
            self._log.append(
                {
                    "level": "info",
                    "type": "metrics",
                    "message": f"Step {number}/{self._num_updates}: training loss={loss:.4f}",
                    "data": {
                        "step": number,
                        "total_steps": self._num_updates,
                        "train_loss": loss,
                        **{name: _number(value) for name, value in data.items()},
                    },
                }
            )


def _number(value: "float | Tensor") -> float:
    """Return a number, which may still be on a GPU."""
    return value if isinstance(value, int | float) else float(value)
