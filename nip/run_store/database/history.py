"""``RunHistory``: all metrics of a run, in memory."""

from collections.abc import Mapping, Sequence
from typing import Self

from nip.errors import UnknownNameError, unknown_name


class RunHistory:
    """The value of each metric at each iteration.

    Iterations are counted from 1; 0 is before the first. A metric need not have a value at every
    iteration; evaluations, for example, may be less frequent.
    """

    def __init__(self) -> None:
        self._series: dict[str, dict[int, float]] = {}
        self._last_iterations: dict[str, int] = {}

    def update(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics of one iteration, replacing existing values."""
        for name, value in metrics.items():
            # Adding 0 converts -0.0 to 0.0, as SQLite does, so that a reloaded history is equal.
            self._series.setdefault(name, {})[int(iteration)] = float(value) + 0.0
            last = self._last_iterations.get(name, iteration)
            self._last_iterations[name] = max(last, int(iteration))

    def names(self) -> list[str]:
        """Return the names of all metrics, sorted."""
        return sorted(self._series)

    def values(self, name: str) -> list[tuple[int, float]]:
        """Return the (iteration, value) pairs of a metric, ordered by iteration.

        Raises
        ------
        UnknownNameError
            If the metric was never logged.
        """
        return sorted(self._get(name).items())

    def latest(self, name: str) -> float:
        """Return the last value of a metric.

        Raises
        ------
        UnknownNameError
            If the metric was never logged.
        """
        return self._get(name)[self._last_iterations[name]]

    def latest_all(self) -> dict[str, float]:
        """Return the last value of every metric, by name."""
        return {name: self.latest(name) for name in self.names()}

    @property
    def last_iteration(self) -> int | None:
        """The last iteration with a value; None if there are no values."""
        return max(self._last_iterations.values(), default=None)

    def truncate(self, iteration: int) -> None:
        """Delete the values of all later iterations."""
        kept = {
            name: {i: value for i, value in series.items() if i <= iteration}
            for name, series in self._series.items()
        }
        self._series = {name: series for name, series in kept.items() if series}
        self._last_iterations = {name: max(series) for name, series in self._series.items()}

    def replace(self, other: "RunHistory") -> None:
        """Replace all values by a copy of another history."""
        self._series = {name: dict(series) for name, series in other._series.items()}
        self._last_iterations = dict(other._last_iterations)

    def to_dict(self) -> dict[str, list[tuple[int, float]]]:
        """Return all (iteration, value) pairs by metric, as JSON-compatible data."""
        return {name: self.values(name) for name in self.names()}

    @classmethod
    def from_dict(cls, series: Mapping[str, Sequence[Sequence[float]]]) -> Self:
        """Create a history from the output of ``to_dict``."""
        history = cls()
        for name, pairs in series.items():
            for iteration, value in pairs:
                history.update(int(iteration), {name: value})
        return history

    def reset(self) -> None:
        """Delete all values."""
        self._series.clear()
        self._last_iterations.clear()

    def _get(self, name: str) -> dict[int, float]:
        if name not in self._series:
            raise UnknownNameError(unknown_name("metric", name, self._series))
        return self._series[name]
