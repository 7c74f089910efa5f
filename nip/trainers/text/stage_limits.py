"""Limits of the shares of failed and of invalid dialogues in a stage, above which a run stops."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from nip.language_models.errors import LanguageModelError
from nip.scenario_base.text.rollout import Rollout


class TooManyFailuresError(LanguageModelError):
    """More dialogues of a stage failed, or have invalid messages, than the settings allow."""


class AllRolloutsFailedError(TooManyFailuresError):
    """All rollouts of a stage failed."""


@dataclass(frozen=True)
class StageLimits:
    """Largest shares of the dialogues of a stage with which a run continues."""

    max_failed_share: float = 1.0
    """Share of the dialogues that failed; all of them are never allowed to."""

    max_invalid_share: float = 1.0
    """Share of the dialogues with a message that is empty because no answer was valid."""


@dataclass
class StageTally:
    """Counts the failed and the invalid dialogues of a stage."""

    limits: StageLimits
    num_rollouts: int
    """Number of dialogues; the most that there may be as long as some are not finished."""
    failed: Counter[str] = field(default_factory=Counter)
    """Number of failed dialogues, by the message of their error."""
    invalid: Counter[str] = field(default_factory=Counter)
    """Number of dialogues with an invalid message, by the warning about the first one."""

    def add_plan(self, rollouts: Sequence[Rollout], most: int) -> None:
        """Count the finished dialogues of one plan, which counted as ``most`` of them before."""
        self.num_rollouts -= most - len(rollouts)
        for rollout in rollouts:
            self.add(rollout)

    def add(self, rollout: Rollout) -> None:
        """Count a finished dialogue."""
        if rollout.is_failed:
            self.failed[rollout.error_message] += 1
        elif rollout.has_invalid_message:
            self.invalid[rollout.warnings[0] if rollout.warnings else ""] += 1

    @property
    def too_many_failed(self) -> bool:
        """Whether the share of failed dialogues is certainly above its limit."""
        return self._is_above(self.failed, self.limits.max_failed_share) or (
            0 < self.failed.total() == self.num_rollouts
        )

    @property
    def too_many_invalid(self) -> bool:
        """Whether the share of invalid dialogues is certainly above its limit."""
        return self._is_above(self.invalid, self.limits.max_invalid_share)

    def check(self) -> None:
        """Raise ``TooManyFailuresError`` if a share is certainly above its limit."""
        if self.too_many_failed:
            number, (worst, count) = self.failed.total(), self.failed.most_common(1)[0]
            if number == self.num_rollouts:
                raise AllRolloutsFailedError(
                    f"All {number} rollouts failed, {count} of them with: {worst.rstrip('.')}. "
                    "Fix the cause, then start the run again."
                )
            raise TooManyFailuresError(
                f"{number} of {self.num_rollouts} rollouts failed, which is more than "
                f"settings.max_failed_share={self.limits.max_failed_share:g}; {count} of them "
                f"with: {worst.rstrip('.')}. Everything is saved: fix the cause or raise the "
                "limit, then start the run again; it asks for the failed ones again."
            )
        if self.too_many_invalid:
            number, (worst, _) = self.invalid.total(), self.invalid.most_common(1)[0]
            raise TooManyFailuresError(
                f"{number} of {self.num_rollouts} rollouts have a message that is empty because no "
                f"answer was valid, which is more than settings.max_invalid_share="
                f"{self.limits.max_invalid_share:g}; one of them: {worst.rstrip('.')}. Everything "
                "is saved: check that the model follows the prompts, or raise the limit, then "
                "start the run again; it asks for these dialogues again."
            )

    def _is_above(self, counts: Counter[str], max_share: float) -> bool:
        # A tolerance, because 0.1 * 30 is above 3 by a rounding error.
        return counts.total() > max_share * self.num_rollouts + 1e-9
