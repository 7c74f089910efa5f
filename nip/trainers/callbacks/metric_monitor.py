"""The best value of a metric so far, and how long ago it was."""

import math
from collections.abc import Mapping
from typing import Any

from nip.parameters.callbacks import Mode


class MetricMonitor:
    """Follows one metric.

    Parameters
    ----------
    monitor : str
        Name of the metric.
    mode : str
        Whether larger (``max``) or smaller (``min``) values are better.
    min_delta : float
        A value is an improvement if it is better than the best one by more than this.

    Attributes
    ----------
    best : float or None
        The last value that was an improvement; None before the first.
    best_iteration : int or None
        When that was.
    num_without_improvement : int
        Values since then.
    """

    def __init__(self, monitor: str, mode: Mode = "max", min_delta: float = 0.0) -> None:
        self.monitor = monitor
        self.mode = mode
        self.min_delta = min_delta
        self.best: float | None = None
        self.best_iteration: int | None = None
        self.num_without_improvement = 0
        self._num_values = 0

    def update(self, value: float, iteration: int | None = None) -> bool:
        """Take in a value and tell whether it is an improvement.

        The first finite value is one; infinity and what is not a number never are.

        Parameters
        ----------
        value : float
            The next value.
        iteration : int, optional
            When it was logged; by default values are counted, from 1.
        """
        self._num_values += 1
        is_improvement = math.isfinite(value) and (
            self.best is None or self._goodness(value) > self._goodness(self.best) + self.min_delta
        )
        if is_improvement:
            self.best = float(value)
            self.best_iteration = self._num_values if iteration is None else iteration
            self.num_without_improvement = 0
        else:
            self.num_without_improvement += 1
        return is_improvement

    def reaches(self, value: float, bound: float) -> bool:
        """Tell whether a value is as good as a bound, or better."""
        return self._goodness(value) >= self._goodness(bound)

    def state_dict(self) -> dict[str, Any]:
        """Return all that it knows, as JSON can hold it."""
        return {
            "best": self.best,
            "best_iteration": self.best_iteration,
            "num_without_improvement": self.num_without_improvement,
            "num_values": self._num_values,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.best = state["best"]
        self.best_iteration = state["best_iteration"]
        self.num_without_improvement = state["num_without_improvement"]
        self._num_values = state["num_values"]

    def _goodness(self, value: float) -> float:
        return value if self.mode == "max" else -value
