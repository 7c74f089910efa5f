"""Monitor of a metric: its best value so far, and the number of values since."""

import math
from collections.abc import Mapping
from typing import Any

from nip.parameters.callbacks import Mode


class MetricMonitor:
    """Keeps track of the best value of a metric.

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
        Last value that was an improvement; None before the first.
    best_iteration : int or None
        Iteration of that value.
    num_without_improvement : int
        Number of values since then.
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
        """Add a value, and return whether it is an improvement.

        The first finite value is one. Infinity and NaN are not.

        Parameters
        ----------
        value : float
            The next value.
        iteration : int, optional
            Iteration of the value. Default: the number of values so far.
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
        """Return whether a value is at least as good as a bound."""
        return self._goodness(value) >= self._goodness(bound)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, as JSON can hold it."""
        return {
            "best": self.best,
            "best_iteration": self.best_iteration,
            "num_without_improvement": self.num_without_improvement,
            "num_values": self._num_values,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self.best = state["best"]
        self.best_iteration = state["best_iteration"]
        self.num_without_improvement = state["num_without_improvement"]
        self._num_values = state["num_values"]

    def _goodness(self, value: float) -> float:
        return value if self.mode == "max" else -value
