"""Callback that keeps the checkpoint with the best value of a metric."""

from typing import Any

from nip.parameters.callbacks import BestCheckpointParameters
from nip.trainers.callbacks.metric_callback import MetricCallback
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext


@register_callback("best_checkpoint", parameters=BestCheckpointParameters)
class BestCheckpoint(MetricCallback):
    """Saves a checkpoint whenever a metric improves, and marks it as the best.

    Parameters
    ----------
    **options : Any
        The fields of ``BestCheckpointParameters``.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(BestCheckpointParameters(**options))

    def take_value(self, context: TrainingContext, value: float, is_improvement: bool) -> None:
        """Request a checkpoint if the value is an improvement."""
        if is_improvement:
            context.request_checkpoint(best_of=(self.monitor.monitor, value))
