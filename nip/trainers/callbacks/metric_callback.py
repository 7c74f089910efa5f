"""The base of callbacks that follow one metric."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from nip.parameters.callbacks import MonitoringParameters
from nip.trainers.callbacks.callback import Callback
from nip.trainers.context import TrainingContext
from nip.trainers.metric_monitor import MetricMonitor


class MetricCallback(Callback):
    """Looks at a metric at the end of each iteration that has a value of it.

    What is logged outside the iterations, as by the test after the last one, does not count.
    """

    def __init__(self, params: MonitoringParameters) -> None:
        self.monitor = MetricMonitor(params.monitor, params.mode, params.min_delta)
        self.monitored = (params.monitor,)
        self._logged: tuple[int, float] | None = None

    @abstractmethod
    def on_value(self, context: TrainingContext, value: float, is_improvement: bool) -> None:
        """Act on a value."""

    def on_train_start(self, context: TrainingContext) -> None:
        """Find what the iteration that goes on now had logged before it was interrupted."""
        if self.monitor.monitor in context.history.names():
            self._logged = context.history.values(self.monitor.monitor)[-1]

    def on_log(self, context: TrainingContext) -> None:
        """Keep the value until the end of the iteration; the last one counts."""
        if self.monitor.monitor in context.metrics:
            value = context.metrics[self.monitor.monitor]
            self._logged = (context.metrics_iteration, value)

    def on_iteration_end(self, context: TrainingContext) -> None:
        """Take in the value of this iteration, if it has one."""
        if self._logged is None or self._logged[0] != context.iteration + 1:
            return
        iteration, value = self._logged
        self.on_value(context, value, self.monitor.update(value, iteration))

    def state_dict(self) -> Mapping[str, Any]:
        """Return what is known of the metric."""
        return self.monitor.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.monitor.load_state_dict(state)
