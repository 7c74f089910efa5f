"""Rate limits of the mock API, and the headers that report them."""

import math
import time
from collections.abc import Callable

from nip.language_models.server.errors import ApiError, exact_decimal

_MINUTE_S = 60.0


class _Bucket:
    """Token bucket that holds the amount of one minute and refills at a constant rate."""

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self._level = float(limit)
        self._updated_at = now

    def refill(self, now: float) -> None:
        refilled = self._level + (now - self._updated_at) * self.limit / _MINUTE_S
        self._level, self._updated_at = min(float(self.limit), refilled), now

    def wait_for(self, amount: int) -> float:
        """Return the seconds until an amount is available."""
        return max(0.0, amount - self._level) * _MINUTE_S / self.limit

    def take(self, amount: int) -> None:
        self._level -= amount

    def headers(self, unit: str) -> dict[str, str]:
        """Return limit, remainder, and the time until the bucket is full."""
        reset_ms = math.ceil((self.limit - self._level) * _MINUTE_S * 1000 / self.limit)
        return {
            f"x-ratelimit-limit-{unit}": str(self.limit),
            f"x-ratelimit-remaining-{unit}": str(max(0, int(self._level))),
            f"x-ratelimit-reset-{unit}": f"{reset_ms}ms",
        }


class RateLimits:
    """Limits of the requests and tokens per minute of all clients together.

    A request is counted with its prompt and the tokens that its completions may have.
    """

    def __init__(
        self,
        requests_per_minute: int,
        tokens_per_minute: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._requests = _Bucket(requests_per_minute, now())
        self._tokens = _Bucket(tokens_per_minute, now())

    def take(self, num_tokens: int) -> None:
        """Count a request, or raise ``ApiError`` if it exceeds a limit."""
        now = self._now()
        for bucket in (self._requests, self._tokens):
            bucket.refill(now)
        if num_tokens > self._tokens.limit:
            raise self._refusal(
                f"Request too large on tokens per min (TPM): Limit {self._tokens.limit}, "
                f"Requested {num_tokens}.",
                "tokens",
            )
        amounts = {"requests": (self._requests, 1), "tokens": (self._tokens, num_tokens)}
        for unit, (bucket, amount) in amounts.items():
            if seconds := bucket.wait_for(amount):
                raise self._refusal(
                    f"Rate limit reached on {unit} per min: Limit {bucket.limit}, Requested "
                    f"{amount}. Please try again in {exact_decimal(round(seconds, 3))}s.",
                    unit,
                    {"retry-after": exact_decimal(math.ceil(seconds * 1000) / 1000)},
                )
        for bucket, amount in amounts.values():
            bucket.take(amount)

    def headers(self) -> dict[str, str]:
        """Return the headers of a response."""
        return self._requests.headers("requests") | self._tokens.headers("tokens")

    def _refusal(self, message: str, kind: str, headers: dict[str, str] | None = None) -> ApiError:
        return ApiError(
            429,
            message,
            kind=kind,
            code="rate_limit_exceeded",
            headers=self.headers() | (headers or {}),
        )
