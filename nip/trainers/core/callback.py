"""What every callback is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
"""What callbacks are told of, in the order in which it first comes."""


class Callback:
    """Something that is told what happens. Every method does nothing unless it is overridden.

    Callbacks are called in the order in which they were given. An exception passes through and
    ends the training; ``on_train_end`` is called nevertheless.
    """

    is_observer: ClassVar[bool] = False
    """Whether it only looks on: it changes no number, and of several processes that train together
    only the first has it."""

    monitored: Sequence[str] = ()
    """Names of the metrics that it cannot do without; one that is never logged is an error."""

    def check(self, trainer: Trainer) -> None:
        """Raise a ``ParameterError`` if it can never work with a trainer.

        Called before anything is written.
        """

    def on_train_start(self, context: TrainingContext) -> None:
        """Act before the first iteration of a start, also one after an interruption.

        Who is added later hears it then.
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
        """Act after metrics were kept: ``context.metrics`` of ``context.metrics_iteration``."""

    def on_iteration_end(self, context: TrainingContext) -> None:
        """Act after an iteration, when its metrics are known and before its checkpoint."""

    def on_checkpoint(self, context: TrainingContext) -> None:
        """Act after a checkpoint was written."""

    def on_train_end(self, context: TrainingContext) -> None:
        """Act when training and its test are over, for whatever reason."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return what must come back when an interrupted run goes on.

        Values are plain data that JSON can hold or, for trainers of networks, tensors.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned; called before ``on_train_start``."""


def check_callback(callback: object) -> None:
    """Refuse what is no callback, and warn of methods that nobody will ever call.

    Raises
    ------
    ParameterError
        If it is no instance of ``Callback``.
    """
    if not isinstance(callback, Callback):
        raise ParameterError(
            f"A callback must be an instance of a class derived from Callback, got {callback!r}. "
            "Names go into the parameter callbacks; a class has to be called."
        )
    events = get_args(Event)
    for name in sorted(vars(type(callback))):
        if name.startswith("on_") and name not in events:
            warn_user(
                f"{type(callback).__name__}.{name} is never called, because it is no event. "
                f"{did_you_mean(name, events) or 'Events: ' + ', '.join(events)}"
            )
