"""Requests and tokens per minute, as far as a service tells them in its headers.

Keeping to them costs less than being refused: a refused request counts as well.
"""

from dataclasses import dataclass

from nip.language_models.chat import RateLimitState

_MINUTE_S = 60.0
# So small a part of a request is missing by rounding only, and no clock could wait for it.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class UsageSnapshot:
    """What had been used when a call started."""

    num_requests: int
    num_tokens: int


class _Bucket:
    """An allowance that refills evenly; unknown, and so without bound, until it is observed."""

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
        """Take over what the service says was left when it met a call.

        Parameters
        ----------
        since : int
            What was in use when that call started: what came later is not counted in ``remaining``.
        """
        if limit is not None:
            self._limit = float(limit)
            missing = limit - remaining
            # Some limits are those of a day; how long the missing part takes tells.
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
        """Return the seconds until an amount is there."""
        if not self.is_known:
            return 0.0
        self._level = min(self._limit, self._level + self._per_second * (now - self._updated_at))
        self._updated_at = now
        # More than the limit is never there: such a call goes when the allowance is full.
        missing = min(float(amount), self._limit) - self._level
        has_enough = missing <= _ROUNDING or not self._per_second
        return 0.0 if has_enough else missing / self._per_second

    def take(self, amount: int) -> None:
        self.used += amount
        self._level -= amount


class RateLimiter:
    """What one model may still be asked in this minute."""

    def __init__(self) -> None:
        self._requests = _Bucket()
        self._tokens = _Bucket()

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are known to be limited, so that it matters how many a call takes."""
        return self._tokens.is_known

    def delay(self, num_tokens: int, now: float) -> float:
        """Return the seconds to wait before a call of so many tokens; 0 when it may start."""
        return max(self._requests.delay(1, now), self._tokens.delay(num_tokens, now))

    def take(self, num_tokens: int) -> UsageSnapshot:
        """Count a call that starts now."""
        mark = UsageSnapshot(self._requests.used + 1, self._tokens.used + num_tokens)
        self._requests.take(1)
        self._tokens.take(num_tokens)
        return mark

    def observe(self, state: RateLimitState, mark: UsageSnapshot, now: float) -> None:
        """Take over what the service said in its answer to a call.

        Parameters
        ----------
        state : RateLimitState
            What it said.
        mark : UsageSnapshot
            What ``take`` gave for that call.
        now : float
            The time, in seconds.
        """
        if state.remaining_requests is not None:
            self._requests.observe(
                state.remaining_requests,
                state.limit_requests,
                state.reset_requests_s,
                mark.num_requests,
                now,
            )
        if state.remaining_tokens is not None:
            self._tokens.observe(
                state.remaining_tokens,
                state.limit_tokens,
                state.reset_tokens_s,
                mark.num_tokens,
                now,
            )
