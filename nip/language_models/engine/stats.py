"""Statistics of an engine, for progress bars and reports."""

from dataclasses import dataclass, field

from nip.language_models.chat import ModelSpec, TokenUsage


@dataclass(frozen=True, slots=True)
class ModelQueueStats:
    """Counts of one model queue."""

    num_under_way: int
    """Running calls."""

    num_waiting: int
    """Waiting calls."""

    limit: int
    """Current limit of running calls."""


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counts of an engine at one moment."""

    num_answers: int = 0
    """Calls that were answered by the service, the journal or the response cache."""

    num_from_journal: int = 0
    """Calls answered by the journal, because an earlier process had made them."""

    num_from_cache: int = 0
    """Calls answered by the response cache."""

    num_under_way: int = 0
    """Running calls."""

    num_retries: dict[str, int] = field(default_factory=dict)
    """Number of retries, by the name of the error."""

    num_failures: dict[str, int] = field(default_factory=dict)
    """Number of failed calls, by the name of the error."""

    usage: TokenUsage = field(default_factory=TokenUsage)
    """Tokens paid for in this run, including earlier processes."""

    cost: float = 0.0
    """Cost of this run in dollars, including earlier processes."""

    models: dict[ModelSpec, ModelQueueStats] = field(default_factory=dict)
    """Counts of each model queue."""

    def summary(self) -> dict[str, float]:
        """Return the few values that a progress bar shows."""
        return {
            "under way": self.num_under_way,
            "retries": sum(self.num_retries.values()),
            "tokens": self.usage.total_tokens,
            "dollars": self.cost,
        }
