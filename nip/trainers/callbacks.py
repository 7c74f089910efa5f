"""Extending a training run from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nip.trainers.trainer_base import Trainer


@dataclass
class TrainingContext:
    """What a callback may look at while the trainer works."""

    trainer: Trainer
    """The trainer, with its agents, parameters and run."""

    iteration: int = 0
    """Iterations done before the current one."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    """Figures of the last iteration or test."""


class Callback:
    """Something that is told what happens. Every method does nothing unless it is overridden."""

    def on_train_start(self, context: TrainingContext) -> None:
        """Act before the first iteration of a start, also one after an interruption."""

    def on_iteration_start(self, context: TrainingContext) -> None:
        """Act before an iteration."""

    def on_iteration_end(self, context: TrainingContext) -> None:
        """Act after an iteration, when its metrics are known and before its checkpoint."""

    def on_checkpoint(self, context: TrainingContext) -> None:
        """Act after a checkpoint was written."""

    def on_evaluation_end(self, context: TrainingContext) -> None:
        """Act after a test, when its metrics are known."""

    def on_train_end(self, context: TrainingContext) -> None:
        """Act when training is over, for whatever reason."""
