"""How the engine goes about its calls; nothing here changes an answer."""

from dataclasses import dataclass

from nip.errors import ParameterError


@dataclass(frozen=True)
class EngineOptions:
    """Limits of concurrency, patience and persistence.

    Raises
    ------
    ParameterError
        If a value is out of range.
    """

    max_concurrency: int = 100
    """Most calls under way at once, for each model."""

    initial_concurrency: int | None = None
    """Calls under way at once in the beginning, for each model; None: as many as allowed."""

    timeout_s: float = 600.0
    """Seconds after which a call without an answer is given up and asked again."""

    num_timeouts: int = 100
    """How often a call may time out before its rollout has failed."""

    num_connection_errors: int = 10
    """How often a call may fail to connect before its rollout has failed."""

    num_rate_limits: int = 100
    """How often a call may be refused for the rate limit before its rollout has failed."""

    num_overloads: int = 20
    """How often a call may meet an overloaded service before its rollout has failed."""

    num_malformed_answers: int = 5
    """How often a call may get an answer that is none before its rollout has failed."""

    num_unknown_errors: int = 3
    """How often a call may meet an error of unknown kind before its rollout has failed."""

    first_backoff_s: float = 0.25
    """Seconds before the first retry; every further one waits about twice as long."""

    max_backoff_s: float = 60.0
    """Most seconds before a retry, unless the service asks for more."""

    drain_s: float = 5.0
    """Seconds that answers under way are waited for when the work is stopped: they are paid for."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least {least}, got {value}. Set it to {least} or more."
            for name, least, value in self._bounds()
            if value < least
        ]
        problems += [
            f"{name} must be above 0 seconds, got {value}. Give a positive number."
            for name, value in (("timeout_s", self.timeout_s),)
            if not value > 0
        ]
        if problems:
            raise ParameterError(*problems)

    def _bounds(self) -> list[tuple[str, int, float]]:
        counts = [
            "num_timeouts",
            "num_connection_errors",
            "num_rate_limits",
            "num_overloads",
            "num_malformed_answers",
            "num_unknown_errors",
            "first_backoff_s",
            "max_backoff_s",
            "drain_s",
        ]
        bounds: list[tuple[str, int, float]] = [(name, 0, getattr(self, name)) for name in counts]
        bounds.append(("max_concurrency", 1, self.max_concurrency))
        if self.initial_concurrency is not None:
            bounds.append(("initial_concurrency", 1, self.initial_concurrency))
        return bounds
