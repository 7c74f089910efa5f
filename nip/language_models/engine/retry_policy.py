"""How often a call is tried again, and after how long."""

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
# Far beyond any longest wait, and far below what overflows.
_MOST_DOUBLINGS = 40


class RetryPolicy:
    """What one call still puts up with.

    Parameters
    ----------
    options : EngineOptions
        How often each kind of error may happen, and how waits grow.
    generator : random.Random
        Draws the jitter: waits differ, lest all who failed together come back together.
    """

    def __init__(self, options: EngineOptions, generator: random.Random) -> None:
        self._options = options
        self._generator = generator
        self._counts: dict[str, int] = {}

    def seconds_to_wait(self, error: LanguageModelError) -> float | None:
        """Count an error.

        Returns
        -------
        seconds : float | None
            How long to wait before the next try; None when there is to be none.
        """
        option = next(
            (_OPTION_OF_ERROR[kind] for kind in type(error).__mro__ if kind in _OPTION_OF_ERROR),
            "num_unknown_errors",
        )
        count = self._counts.get(option, 0)
        if count >= getattr(self._options, option):
            return None
        self._counts[option] = count + 1
        doublings = min(count, _MOST_DOUBLINGS)
        backoff = min(self._options.first_backoff_s * 2.0**doublings, self._options.max_backoff_s)
        wanted = error.retry_after or 0.0
        return max(wanted, backoff * 0.5) + self._generator.random() * backoff * 0.5
