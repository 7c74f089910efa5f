"""Rate limiter for requests and tokens per minute, as reported in the headers of a service.

Waiting is better than being refused, because refused requests count towards the limit as well.
"""

from dataclasses import dataclass

from nip.language_models.chat import RateLimitState

_MINUTE_S = 60.0
# A missing amount below this comes from rounding; waiting for it could loop without progress.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class UsageSnapshot:
    """Total usage of a limiter right after a call was counted."""

    num_requests: int
    """Requests sent so far."""

    num_tokens: int
    """Estimated tokens sent so far."""


class _Bucket:
    """Token bucket that refills at a constant rate; unlimited until a limit is observed."""

    def __init__(self) -> None:
        self.used = 0
        self.is_known = False
        self._limit = 0.0
        self._level = 0.0
        self._per_second = 0.0
        self._updated_at = 0.0

    def observe(
        self, remaining: int, limit: int | None, reset_s: float | None, since: int, now: float
    ) -> None:
        """Set the level from the remainder that the response to a call reported.

        Parameters
        ----------
        reset_s : float | None
            Seconds until the bucket is full, if reported.
        since : int
            ``used`` when that call started. Later calls are not included in ``remaining``, so their
            amounts are subtracted here.
        """
        if limit is not None:
            self._limit = float(limit)
            missing = limit - remaining
            # Some limits are per day, not per minute. The time until the missing part is refilled
            # shows the actual rate.
            self._per_second = missing / reset_s if reset_s and missing > 0 else limit / _MINUTE_S
        elif reset_s:
            self._limit = float(max(remaining, 1))
            self._per_second = self._limit / reset_s
        else:
            return
        self.is_known = True
        self._level = remaining - float(self.used - since)
        self._updated_at = now

    def delay(self, amount: int, now: float) -> float:
        """Return the seconds until an amount is available."""
        if not self.is_known:
            return 0.0
        self._level = min(self._limit, self._level + self._per_second * (now - self._updated_at))
        self._updated_at = now
        # An amount above the limit never becomes available: such a call starts when the bucket is
        # full.
        missing = min(float(amount), self._limit) - self._level
        has_enough = missing <= _ROUNDING or not self._per_second
        return 0.0 if has_enough else missing / self._per_second

    def take(self, amount: int) -> None:
        self.used += amount
        self._level -= amount


class RateLimiter:
    """Limits requests and tokens of one model to the rates that its service reports."""

    def __init__(self) -> None:
        self._requests = _Bucket()
        self._tokens = _Bucket()

    @property
    def counts_tokens(self) -> bool:
        """Whether a token limit is known, so that callers need to estimate the tokens of a call."""
        return self._tokens.is_known

    def delay(self, num_tokens: int, now: float) -> float:
        """Return the seconds to wait before a call with ``num_tokens``; 0 if it may start."""
        return max(self._requests.delay(1, now), self._tokens.delay(num_tokens, now))

    def take(self, num_tokens: int) -> UsageSnapshot:
        """Count a call that starts now, and return the total usage including it."""
        snapshot = UsageSnapshot(self._requests.used + 1, self._tokens.used + num_tokens)
        self._requests.take(1)
        self._tokens.take(num_tokens)
        return snapshot

    def observe(self, state: RateLimitState, snapshot: UsageSnapshot, now: float) -> None:
        """Update the limits from the response to a call, at ``now`` in seconds.

        ``snapshot`` is the result of ``take`` for that call.
        """
        if state.remaining_requests is not None:
            self._requests.observe(
                state.remaining_requests,
                state.limit_requests,
                state.reset_requests_s,
                snapshot.num_requests,
                now,
            )
        if state.remaining_tokens is not None:
            self._tokens.observe(
                state.remaining_tokens,
                state.limit_tokens,
                state.reset_tokens_s,
                snapshot.num_tokens,
                now,
            )
