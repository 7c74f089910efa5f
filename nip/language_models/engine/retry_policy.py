"""Retry policy of a single call: number of retries per kind of error, and backoff."""

import random

from nip.language_models.engine.options import EngineOptions
from nip.language_models.errors import (
    LanguageModelError,
    MalformedAnswerError,
    ModelConnectionError,
    ModelTimeoutError,
    OverloadError,
    RateLimitError,
    UnknownApiError,
)

_OPTION_OF_ERROR: dict[type[LanguageModelError], str] = {
    RateLimitError: "num_rate_limits",
    OverloadError: "num_overloads",
    ModelTimeoutError: "num_timeouts",
    ModelConnectionError: "num_connection_errors",
    MalformedAnswerError: "num_malformed_answers",
    UnknownApiError: "num_unknown_errors",
}
# 2^40 times any first backoff exceeds every maximum, and is far from overflowing a float.
_MAX_DOUBLINGS = 40


class RetryPolicy:
    """Retry budget of a single call.

    ``generator`` draws the jitter, which spreads the retries of calls that failed at the same time.
    """

    def __init__(self, options: EngineOptions, generator: random.Random) -> None:
        self._options = options
        self._generator = generator
        self._counts: dict[str, int] = {}

    def seconds_to_wait(
        self, error: LanguageModelError, *, is_limited: bool = True
    ) -> float | None:
        """Count an error, and return the time until the next try; None if no retry is left.

        With ``is_limited=False`` there is always one left.
        """
        option = next(
            (_OPTION_OF_ERROR[kind] for kind in type(error).__mro__ if kind in _OPTION_OF_ERROR),
            "num_unknown_errors",
        )
        count = self._counts.get(option, 0)
        if is_limited and count >= getattr(self._options, option):
            return None
        self._counts[option] = count + 1
        doublings = min(count, _MAX_DOUBLINGS)
        backoff = min(self._options.first_backoff_s * 2.0**doublings, self._options.max_backoff_s)
        requested = error.retry_after or 0.0
        # "Equal jitter": half of the backoff is fixed, half random, on top of what the service
        # requests, so that calls with the same `retry_after` do not return at the same moment.
        return max(requested, backoff * 0.5) + self._generator.random() * backoff * 0.5
