"""What an engine has done and is doing, for progress bars and reports."""

from dataclasses import dataclass, field

from nip.language_models.chat import ModelSpec, TokenUsage


@dataclass(frozen=True, slots=True)
class LaneStats:
    """How one model is being asked."""

    num_under_way: int
    """Calls that wait for their answer."""

    num_waiting: int
    """Calls that wait for their turn."""

    limit: int
    """Calls that may be under way at present."""


@dataclass(frozen=True, slots=True)
class EngineStats:
    """A picture of one moment."""

    num_answers: int = 0
    """Calls that were answered, by whomever."""

    num_from_journal: int = 0
    """Those that the journal answered, because an earlier process had asked them."""

    num_from_cache: int = 0
    """Those that the response cache answered."""

    num_under_way: int = 0
    """Calls that wait for their answer."""

    num_retries: dict[str, int] = field(default_factory=dict)
    """How often a call was asked again, by the name of the error."""

    num_failures: dict[str, int] = field(default_factory=dict)
    """Calls that were given up, by the name of the error."""

    usage: TokenUsage = field(default_factory=TokenUsage)
    """Tokens paid for in this run, earlier processes included."""

    cost: float = 0.0
    """Dollars spent in this run, earlier processes included."""

    models: dict[ModelSpec, LaneStats] = field(default_factory=dict)
    """How each model is being asked."""

    def in_short(self) -> dict[str, float]:
        """Return the figures that a progress bar has room for."""
        return {
            "under way": self.num_under_way,
            "retries": sum(self.num_retries.values()),
            "tokens": self.usage.total_tokens,
            "dollars": self.cost,
        }
