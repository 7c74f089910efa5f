"""The base of callbacks that follow one metric."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from nip.parameters.callbacks import MonitoringParameters
from nip.trainers.callback import Callback
from nip.trainers.callbacks.metric_monitor import MetricMonitor
from nip.trainers.context import TrainingContext


class MetricCallback(Callback):
    """Looks at a metric in each iteration that has a value of it.

    What is logged outside the iterations, as by the test after the last one, does not count.
    """

    def __init__(self, params: MonitoringParameters) -> None:
        self.monitor = MetricMonitor(params.monitor, params.mode, params.min_delta)
        self.monitored = (params.monitor,)

    @abstractmethod
    def on_value(self, context: TrainingContext, value: float, is_improvement: bool) -> None:
        """Act on a value."""

    def on_log(self, context: TrainingContext) -> None:
        """Take in the value of this iteration, if it has one.

        Not only at its end: whoever stops after a test of language models wants to save the
        fine-tuning that would follow.
        """
        name, iteration = self.monitor.monitor, context.metrics_iteration
        if name in context.metrics and iteration == context.iteration + 1:
            value = context.metrics[name]
            self.on_value(context, value, self.monitor.update(value, iteration))

    def state_dict(self) -> Mapping[str, Any]:
        """Return what is known of the metric."""
        return self.monitor.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.monitor.load_state_dict(state)
