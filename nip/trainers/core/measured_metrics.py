"""Checks of the metrics that callbacks measure, so that none replaces another."""

import re
from collections.abc import Collection, Mapping
from math import isnan

from nip.errors import ParameterError
from nip.trainers.core.callback import Callback

_NAME = re.compile(r"\w[\w./-]*")


class MeasuredMetrics:
    """Collects the metrics of an iteration that callbacks measure.

    Parameters
    ----------
    taken : collection of str
        Names of the metrics of the trainer.
    """

    def __init__(self, taken: Collection[str] = ()) -> None:
        self.metrics: dict[str, float] = {}
        self._taken = taken
        self._owners: dict[str, Callback] = {}

    def add(self, callback: Callback, metrics: Mapping[str, float]) -> None:
        """Add what a callback has measured.

        Two callbacks of the same class may measure the same value, such as two alarms with
        different thresholds.

        Raises
        ------
        ParameterError
            If a name is taken, or not suitable for a metric.
        """
        check_measured_names(callback, metrics, self._taken)
        for name, value in metrics.items():
            other = self._owners.setdefault(name, callback)
            if other is callback or (
                type(other) is type(callback) and _is_same(self.metrics[name], value)
            ):
                self.metrics[name] = value
                continue
            raise ParameterError(
                f"Two callbacks, {type(other).__name__} and {type(callback).__name__}, measure the "
                f"metric {name!r}: {self.metrics[name]!r} and {value!r}. Leave out one of them, or "
                "let one use another name."
            )


def check_measured_names(
    callback: Callback, names: Collection[str], taken: Collection[str] = ()
) -> None:
    """Raise ``ParameterError`` if a callback measures metrics under names that it cannot have.

    Parameters
    ----------
    callback : Callback
        The callback.
    names : collection of str
        Names that its ``measure`` or ``metric_names`` has returned.
    taken : collection of str
        Names of the metrics of the trainer.
    """
    kind = type(callback).__name__
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ParameterError(
                f"{kind} measures a metric with the name {name!r}, but a name of a metric consists "
                "of letters, digits and the characters _ . / -, and begins with a letter, a digit "
                "or _. Rename it."
            )
        if name in taken:
            raise ParameterError(
                f"{kind} measures {name!r}, which is the name of a metric of the trainer. Use "
                f"another name, such as {kind.lower()}_{name}."
            )


def _is_same(first: float, second: float) -> bool:
    return first == second or (isnan(first) and isnan(second))
