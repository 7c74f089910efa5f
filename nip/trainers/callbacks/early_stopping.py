"""Callback that stops training by the value of a metric."""

import math
from typing import Any

from nip.parameters.callbacks import EarlyStoppingParameters
from nip.trainers.callbacks.metric_callback import MetricCallback
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext


@register_callback("early_stopping", parameters=EarlyStoppingParameters)
class EarlyStopping(MetricCallback):
    """Stops training when a metric reaches a threshold, diverges, or stops improving.

    A value that is infinite or NaN counts as diverged.

    Parameters
    ----------
    **options : Any
        The fields of ``EarlyStoppingParameters``.
    """

    def __init__(self, **options: Any) -> None:
        self.params: EarlyStoppingParameters
        super().__init__(EarlyStoppingParameters(**options))
        self.marks_best = self.params.save_best

    def take_value(self, context: TrainingContext, value: float, is_improvement: bool) -> None:
        """Mark the best checkpoint, and stop training if a condition is met."""
        if is_improvement and self.params.save_best:
            context.request_checkpoint(best_of=(self.params.monitor, value))
        if reason := self._reason(value):
            context.stop(f"{self.params.monitor}={value:g} {reason}")

    def _reason(self, value: float) -> str:
        """Return the reason to stop; None without one."""
        params, monitor = self.params, self.monitor
        if not math.isfinite(value):
            return "is not finite"
        if params.divergence is not None and not monitor.reaches(value, params.divergence):
            return f"is worse than divergence={params.divergence:g}"
        if params.threshold is not None and monitor.reaches(value, params.threshold):
            return f"has reached threshold={params.threshold:g}"
        if monitor.num_without_improvement >= params.patience:
            return (
                f"is the last of {monitor.num_without_improvement} values (patience) that did not "
                f"improve on {monitor.best:g}, which was reached in iteration "
                f"{monitor.best_iteration}"
            )
        return ""
