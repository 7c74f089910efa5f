"""Base class of callbacks that monitor one metric."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nip.errors import ParameterError
from nip.parameters.callbacks import MonitoringParameters
from nip.trainers.callbacks.metric_monitor import MetricMonitor
from nip.trainers.core.callback import Callback
from nip.trainers.core.context import TrainingContext


class MetricCallback(Callback):
    """Base class of callbacks that act on the value of a metric.

    Values that are logged outside of iterations, as by the final test, are ignored.
    """

    marks_best = True
    """Whether it marks the best checkpoint."""

    def __init__(self, params: MonitoringParameters) -> None:
        self.params = params
        self.monitor = MetricMonitor(params.monitor, params.mode, params.min_delta)
        self.monitored = (params.monitor,)

    def check(self, trainer: Any) -> None:
        """Refuse metrics that no evaluation computes, and two ways to mark the best checkpoint."""
        problems = [
            *self.params.problems_in(trainer.hyper_params, type(self).__name__),
            *self._other_bests(trainer.callbacks),
        ]
        if problems:
            raise ParameterError(*problems)

    @abstractmethod
    def take_value(self, context: TrainingContext, value: float, is_improvement: bool) -> None:
        """Act on a value of the metric."""

    def on_log(self, context: TrainingContext) -> None:
        """Process the value of this iteration, if it has one.

        This is done before the end of the iteration, so that a stop after a test of language models
        saves the cost of the fine-tuning that would follow.
        """
        name, iteration = self.monitor.monitor, context.metrics_iteration
        if name in context.metrics and iteration == context.iteration + 1:
            value = context.metrics[name]
            self.take_value(context, value, self.monitor.update(value, iteration))

    def _other_bests(self, callbacks: Iterable[Callback]) -> Iterator[str]:
        """Yield a message for each other callback that marks the best checkpoint differently."""
        own = self.monitor.monitor, self.monitor.mode
        for other in callbacks:
            if not (isinstance(other, MetricCallback) and self.marks_best and other.marks_best):
                continue
            if (other.monitor.monitor, other.monitor.mode) != own:
                yield (
                    f"{type(self).__name__} marks the best checkpoint by monitor={own[0]!r} with "
                    f"mode={own[1]!r}, and {type(other).__name__} by {other.monitor.monitor!r} "
                    f"with {other.monitor.mode!r}, but only one can be the best. Leave out one of "
                    "them, or set save_best=False in an early_stopping."
                )

    def state_dict(self) -> Mapping[str, Any]:
        """Return the state of the monitor."""
        return self.monitor.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self.monitor.load_state_dict(state)
