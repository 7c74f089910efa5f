"""Limits of the shares of failed and of unreadable answers, above which an analysis stops."""

from collections import Counter
from dataclasses import dataclass, field

from nip.run_store.database.analysis_store import AnalysisRow
from nip.trainers.text.stage_limits import StageLimits, TooManyFailuresError


class TooManyUnreadableError(TooManyFailuresError):
    """More answers cannot be read than the settings allow."""


@dataclass
class AnalysisTally:
    """Counts the questions of an analysis that got no answer, or none that could be read."""

    limits: StageLimits
    """Largest shares with which the analysis continues."""

    num_questions: int
    """Questions that are asked of a model."""

    failures: Counter[str] = field(default_factory=Counter)
    """Number of questions without an answer, by the message of their error."""

    unreadable: Counter[str] = field(default_factory=Counter)
    """Number of questions without a readable answer, by the last answer."""

    def add_failure(self, error: Exception) -> None:
        """Count a question without an answer.

        Raises
        ------
        TooManyFailuresError
            If the share of such questions is certainly above its limit.
        """
        self.failures[str(error)] += 1
        number = self.failures.total()
        if self._is_above(number, self.limits.max_failed_share) or number == self.num_questions:
            worst, count = self.failures.most_common(1)[0]
            raise TooManyFailuresError(
                f"{number} of {self.num_questions} questions got no answer "
                f"(settings.max_failed_share={self.limits.max_failed_share:g}), {count} of them "
                f"with: {worst.rstrip('.')}. All other answers are stored: fix the cause or raise "
                "the limit, then run the analysis again to repeat these questions."
            )

    def add(self, row: AnalysisRow) -> None:
        """Count a result.

        Raises
        ------
        TooManyUnreadableError
            If the share of questions without a readable answer is certainly above its limit.
        """
        if row.finding != "unknown":
            return
        self.unreadable[row.answer] += 1
        number = self.unreadable.total()
        if self._is_above(number, self.limits.max_invalid_share):
            worst = self.unreadable.most_common(1)[0][0]
            raise TooManyUnreadableError(
                f"{number} of {self.num_questions} questions got no answer that can be read "
                f"(settings.max_invalid_share={self.limits.max_invalid_share:g}), one of them: "
                f"{worst[:200]!r}. All other answers are stored: choose a model that "
                "follows the prompts, or raise the limit, then run the analysis again to repeat "
                "these questions."
            )

    def _is_above(self, number: int, max_share: float) -> bool:
        # A tolerance, because 0.1 * 30 is above 3 by a rounding error.
        return number > max_share * self.num_questions + 1e-9
