"""The steps at Weights & Biases, and the metrics that the service has received at each of them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from nip.utils.files import write_atomically

ITERATION = "iteration"
"""Metric that is sent with all others, and the axis of the charts where steps differ from it."""


class _Recorded:
    """What the service has received, by iteration."""

    def __init__(self, names: Mapping[int, set[str]]) -> None:
        self._names = names

    def names(self, iteration: int, metrics: Mapping[str, float]) -> set[str]:
        """Return the names of the metrics that it has."""
        return self._names.get(iteration, set())


class _Unrecorded:
    """What the service has if its last step is known only, as for runs of earlier versions.

    It has all earlier iterations, and of the last one at least the first part.
    """

    def __init__(self, last: int, first_part: set[str]) -> None:
        self._last = last
        self._first_part = first_part

    def names(self, iteration: int, metrics: Mapping[str, float]) -> set[str]:
        """Return the names of the metrics that it has."""
        if iteration != self._last:
            return set(metrics) if iteration < self._last else set()
        self._first_part = self._first_part or set(metrics)
        return self._first_part


class SentRows:
    """Chooses the step of each row, and remembers in a file what was sent.

    The service accepts no metrics for earlier steps. So metrics of an iteration whose first part
    was sent before an interruption get a step of their own, and later iterations a step more.

    Parameters
    ----------
    path : Path, optional
        File with a line for each call: the step, the iteration, and the names of the metrics. None
        for a service that never has anything from before.
    starting_step : int
        First step that the service does not have yet; 0 for a new run.
    history : mapping
        Metrics by iteration that were logged before.
    """

    def __init__(
        self, path: Path | None, starting_step: int, history: Mapping[int, Mapping[str, float]]
    ) -> None:
        self._path = path
        self._last_step = starting_step - 1
        self._open_iteration: int | None = None
        self.is_recorded = path is None or starting_step == 0 or path.exists()
        """Whether it is known what was sent, which it is not for runs of earlier versions."""
        self._received = (
            _read(path, starting_step)
            if self.is_recorded
            else _Unrecorded(starting_step - 1, set(history.get(starting_step - 1, ())))
        )

    def lacking(self, iteration: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return the metrics that the service does not have since before an interruption."""
        received = self._received.names(iteration, metrics)
        return {name: value for name, value in metrics.items() if name not in received}

    def choose_step(self, iteration: int) -> int:
        """Return the step for metrics of an iteration; equal steps are merged by the service."""
        if iteration != self._open_iteration:
            self._open_iteration = iteration
            self._last_step = max(self._last_step + 1, iteration)
        return self._last_step

    def note(self, step: int, iteration: int, names: Iterable[str]) -> None:
        """Record what was sent."""
        if self._path is not None and self.is_recorded:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([step, iteration, sorted(names)]) + "\n")


def _read(path: Path | None, starting_step: int) -> _Recorded:
    """Read what was sent, and remove from the file what did not arrive."""
    received: dict[int, set[str]] = {}
    if path is None:
        return _Recorded(received)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    arrived = []
    for line in lines:
        try:
            step, iteration, names = json.loads(line)
        except ValueError:
            # The last line of a process that was killed while it wrote.
            continue
        if step < starting_step:
            received.setdefault(iteration, set()).update(names)
            arrived.append(line)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, "".join(f"{line}\n" for line in arrived))
    return _Recorded(received)
