"""Progress of a trainer of language models: iteration, stage and models."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

STAGES = (
    "sample_rollouts",
    "log_stats",
    "test_during_training",
    "create_fine_tune_jobs",
    "await_fine_tune_jobs",
)
"""The stages of an iteration in order; the state is saved after each."""

STAGES_OF_LAST_ITERATION = STAGES[:3]
"""The last iteration has no fine-tuning, because no later iteration would use its models."""

STAGES_NOT_STARTED_AFTER_STOP = (STAGES[0], STAGES[3])
"""Stages that a stopped run does not start: sampling, and the creation of fine-tuning jobs."""

STATE_KEY = "text_trainer"
"""Key of the state in the stored state of a run."""

DONE = "done"
"""Value of ``stage`` after the last stage of the run."""


@dataclass(frozen=True)
class TextTrainerState:
    """State from which a trainer of language models resumes."""

    models: tuple[dict[str, str], ...]
    """For each iteration up to the current one, the model name of each model group."""

    stage: str = STAGES[0]
    """The next stage to run, or ``done``."""

    @property
    def iteration(self) -> int:
        """Index of the current iteration, from 0."""
        return len(self.models) - 1

    @property
    def is_done(self) -> bool:
        """Whether all iterations are finished."""
        return self.stage == DONE

    def after_stage(self, num_iterations: int, models: dict[str, str]) -> TextTrainerState:
        """Return the state after the current stage, with the model name of each model group."""
        is_last = self.iteration == num_iterations - 1
        stages = STAGES_OF_LAST_ITERATION if is_last else STAGES
        following = stages.index(self.stage) + 1
        if following < len(stages):
            return replace(self, stage=stages[following])
        if is_last:
            return replace(self, stage=DONE)
        return TextTrainerState(models=(*self.models, models))

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON-compatible data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TextTrainerState:
        """Build a state from the result of ``to_dict``."""
        return cls(models=tuple(data["models"]), stage=data["stage"])
