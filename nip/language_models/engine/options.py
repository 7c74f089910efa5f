"""Options of the engine. None of them changes the content of an answer."""

from dataclasses import dataclass

from nip.errors import ParameterError


@dataclass(frozen=True)
class EngineOptions:
    """Limits of concurrency, timeouts and retries.

    Raises
    ------
    ParameterError
        If a value is out of range.
    """

    max_concurrency: int = 100
    """Maximum number of concurrent calls per model."""

    initial_concurrency: int | None = None
    """Initial number of concurrent calls per model; None: the maximum."""

    timeout_s: float = 600.0
    """Timeout of a request in seconds, after which it is retried."""

    num_timeouts: int = 100
    """Retries of a call after timeouts."""

    num_connection_errors: int = 10
    """Retries of a call after connection errors."""

    num_rate_limits: int = 100
    """Retries of a call after rate limit errors."""

    num_overloads: int = 20
    """Retries of a call after overload errors."""

    num_malformed_answers: int = 5
    """Retries of a call after malformed responses."""

    num_unknown_errors: int = 3
    """Retries of a call after errors of unknown kind."""

    first_backoff_s: float = 0.25
    """Backoff before the first retry in seconds; it doubles with each further one."""

    max_backoff_s: float = 60.0
    """Maximum backoff in seconds, unless the service requests a longer one."""

    max_wait_s: float = 3600.0
    """Longest wait for a service in seconds; if more is necessary, the run stops."""

    drain_s: float = 5.0
    """Seconds to wait for running requests, which are paid for, when the engine is closed."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least {least}, got {value}. Set it to {least} or more."
            for name, least, value in self._bounds()
            if value < least
        ]
        problems += [
            f"{name} must be above 0 seconds, got {value}. Give a positive number."
            for name, value in (("timeout_s", self.timeout_s), ("max_wait_s", self.max_wait_s))
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
