"""Base class of all callbacks, and its events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from nip.errors import ParameterError, did_you_mean, warn_user
from nip.trainers.core.context import TrainingContext

if TYPE_CHECKING:
    from nip.trainers.core.trainer import Trainer

Event = Literal[
    "on_train_start",
    "on_iteration_start",
    "on_stage_start",
    "on_step_start",
    "on_step_end",
    "on_stage_end",
    "on_evaluation_start",
    "on_evaluation_end",
    "on_log",
    "on_iteration_end",
    "on_checkpoint",
    "on_train_end",
]
"""Names of the events, in the order in which they first occur."""


class Callback:
    """Base class of all callbacks. Every method does nothing unless it is overridden.

    Callbacks are called in the order in which they were given. An exception propagates unchanged
    and ends the training, unless ``may_fail`` is set; ``on_train_end`` is still called.
    """

    is_observer: ClassVar[bool] = False
    """Whether it only observes, without influence on results. When several processes train
    together, only the first one has it."""

    may_fail: ClassVar[bool] = False
    """Whether training goes on, with a warning, if one of its events raises an exception. For
    loggers, whose loss is no reason to lose a training."""

    is_unique_in_process: ClassVar[bool] = False
    """Whether a process can have it only once, so that runs of several seeds cannot train together
    with it. For callbacks that use what the whole process shares."""

    monitored: Sequence[str] = ()
    """Names of the metrics that it needs. A metric that is never logged is an error."""

    @property
    def influences_results(self) -> bool:
        """Whether it influences results with its options."""
        return not self.is_observer

    def check(self, trainer: Trainer) -> None:
        """Raise a ``ParameterError`` if the callback cannot work with a trainer.

        Called before anything is written.
        """

    def metric_names(self, trainer: Trainer) -> Collection[str]:
        """Return the names of all metrics that ``measure`` may return."""
        return ()

    def measure(self, context: TrainingContext) -> Mapping[str, float]:
        """Return metrics of the iteration that ends, to be logged together with all others.

        Called once in each iteration, after its evaluation. Other callbacks can monitor these
        metrics if ``metric_names`` states their names.
        """
        return {}

    def on_train_start(self, context: TrainingContext) -> None:
        """Act before the first iteration of a process, also when a run is resumed.

        For a callback that is added during training, called when it is added.
        """

    def on_iteration_start(self, context: TrainingContext) -> None:
        """Act before an iteration."""

    def on_stage_start(self, context: TrainingContext) -> None:
        """Act before a stage, whose name is ``context.stage``."""

    def on_step_start(self, context: TrainingContext) -> None:
        """Act before a step: an update of the weights, or a fine-tuning job."""

    def on_step_end(self, context: TrainingContext) -> None:
        """Act after a step, when ``context.loss`` is known."""

    def on_stage_end(self, context: TrainingContext) -> None:
        """Act after a stage."""

    def on_evaluation_start(self, context: TrainingContext) -> None:
        """Act before the agents are evaluated."""

    def on_evaluation_end(self, context: TrainingContext) -> None:
        """Act after an evaluation, whose metrics are ``context.metrics``."""

    def on_log(self, context: TrainingContext) -> None:
        """Act after ``context.metrics`` of ``context.metrics_iteration`` were logged."""

    def on_iteration_end(self, context: TrainingContext) -> None:
        """Act after an iteration, when its metrics are known and before its checkpoint."""

    def on_checkpoint(self, context: TrainingContext) -> None:
        """Act after a checkpoint was written."""

    def on_train_end(self, context: TrainingContext) -> None:
        """Act when training and its test have ended, also after an error."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return the state to restore when an interrupted run is resumed.

        Values are data that JSON can hold or, for trainers of networks, also tensors.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned; called before ``on_train_start``."""


def check_callback(callback: object) -> None:
    """Raise ``ParameterError`` for what is no callback; warn of methods that are never called."""
    if not isinstance(callback, Callback):
        raise ParameterError(
            f"A callback must be an instance of a class derived from Callback, got {callback!r}. "
            "Names go into the parameter callbacks; a class has to be called."
        )
    events = get_args(Event)
    for name in sorted({name for cls in type(callback).__mro__ for name in vars(cls)}):
        if name.startswith("on_") and name not in events:
            warn_user(
                f"{type(callback).__name__}.{name} is never called, because it is no event. "
                f"{did_you_mean(name, events) or 'Events: ' + ', '.join(events)}"
            )
