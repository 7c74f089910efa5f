"""How far a trainer of language models is."""

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
"""The stages of an iteration, in their order; the state is saved after each."""

STAGES_OF_THE_LAST = STAGES[:3]
"""The last iteration ends before a fine-tuning that nobody would use."""

STAGES_NOT_BEGUN_AFTER_A_STOP = (STAGES[0], STAGES[3])
"""Once training is stopped, nothing is sampled for, and no job is paid for, that has no use."""

STATE_KEY = "text_trainer"
"""Under which the state is stored in a run."""

DONE = "done"
"""Stands in the place of the stage when nothing is left to do."""


@dataclass(frozen=True)
class TextTrainerState:
    """What a trainer of language models has to know to go on."""

    models: tuple[dict[str, str], ...]
    """For each iteration up to the present one: the model of each group of agents."""

    stage: str = STAGES[0]
    """The stage that is to be run next, or ``done``."""

    @property
    def iteration(self) -> int:
        """The present iteration, counted from 0."""
        return len(self.models) - 1

    @property
    def is_done(self) -> bool:
        """Whether all iterations are over."""
        return self.stage == DONE

    def after_stage(self, num_iterations: int, models: dict[str, str]) -> TextTrainerState:
        """Return the state when the present stage is over.

        Parameters
        ----------
        num_iterations : int
            Iterations of the whole run.
        models : dict
            The model that each group has now.
        """
        is_last = self.iteration == num_iterations - 1
        stages = STAGES_OF_THE_LAST if is_last else STAGES
        following = stages.index(self.stage) + 1
        if following < len(stages):
            return replace(self, stage=stages[following])
        if is_last:
            return replace(self, stage=DONE)
        return TextTrainerState(models=(*self.models, models))

    def to_dict(self) -> dict[str, Any]:
        """Write the state as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TextTrainerState:
        """Read back what ``to_dict`` wrote."""
        return cls(models=tuple(data["models"]), stage=data["stage"])
