"""Adaptive limit of the number of concurrent calls of one model.

The limit follows the capacity of the service like a congestion window: it is reduced in proportion
to the share of refused calls (Alizadeh et al. 2010, "Data Center TCP"), so that a service which
refuses a few calls at random is not mistaken for a saturated one.
"""

import asyncio
from collections import deque

from nip.language_models.errors import LanguageModelError

# A round is as many calls as the limit allows at once. A round of refusals halves the limit (half a
# slot per refusal); a round of answers increases it by a twentieth, but at least by one.
_SHRINK_PER_REFUSAL = 0.5
_GROWTH_PER_ANSWER = 0.05


class AdaptiveLimiter:
    """First-in, first-out semaphore with an adaptive limit.

    Bound to one event loop, so its state needs no lock: no method awaits while it is inconsistent.

    Parameters
    ----------
    cap : int
        Upper bound of the limit.
    initial : int
        Initial limit. It doubles with each round of answers until the service refuses a call for
        the first time (slow start), and after that only up to half of the limit that was refused.
    """

    def __init__(self, cap: int, initial: int) -> None:
        assert initial >= 1, initial
        self.cap = cap
        self.num_under_way = 0
        self.num_waiting = 0
        self.is_probing = False
        """Whether only one call at a time may run, until the service is reachable again."""
        self._limit = float(min(initial, cap))
        self._doubles_below = float(cap)
        self._was_refused = False
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._returning: deque[asyncio.Future[None]] = deque()
        self._paused_until = 0.0

    @property
    def limit(self) -> int:
        """Current limit of concurrent calls."""
        return 1 if self.is_probing else int(self._limit)

    async def acquire(self, ahead: bool = False) -> None:
        """Wait until a call may start, ``ahead`` of all first tries if it is a retry.

        Each return requires one ``release``.
        """
        loop = asyncio.get_running_loop()
        may_start = ahead or not self.num_waiting
        if may_start and self._has_room() and loop.time() >= self._paused_until:
            self.num_under_way += 1
            return
        waiter: asyncio.Future[None] = loop.create_future()
        (self._returning if ahead else self._waiters).append(waiter)
        self.num_waiting += 1
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self.num_waiting -= 1
            elif waiter.exception() is None:
                # The slot was already assigned when the task was cancelled: return it.
                self.release()
            raise

    def release(self) -> None:
        """Free the slot of a call that has ended, successfully or not."""
        self.num_under_way -= 1
        self._start_waiting()

    def note_answer(self) -> None:
        """Increase the limit after an answered call; call this before ``release``."""
        self._was_refused = False
        is_in_use = self.num_under_way >= self.limit
        if is_in_use and self._limit < self.cap:
            doubles = self._limit < self._doubles_below
            growth = 1.0 if doubles else max(1.0 / self._limit, _GROWTH_PER_ANSWER)
            self._limit = min(self._limit + growth, float(self.cap))

    def note_refusal(self) -> None:
        """Reduce the limit after a call was refused for overload or rate limit."""
        if not self._was_refused:
            # Only the first of a series of refusals lowers the threshold. An outage refuses many
            # calls in a row; after it, the limit doubles quickly to half of its former value.
            self._doubles_below = self._limit / 2
        self._was_refused = True
        self._limit = max(1.0, self._limit - _SHRINK_PER_REFUSAL)

    def pause(self, seconds: float) -> None:
        """Start no call for some seconds; of overlapping pauses the latest end applies."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if until > self._paused_until:
            self._paused_until = until
            loop.call_at(until, self._end_pause, until)

    def stop(self, error: LanguageModelError) -> None:
        """Raise an error in all waiting ``acquire`` calls."""
        while (waiter := self._take_first()) is not None:
            waiter.set_exception(error)

    def _end_pause(self, until: float) -> None:
        # Timers may fire slightly early, so compare the scheduled ends instead of the clock.
        if until == self._paused_until:
            self._paused_until = 0.0
            self._start_waiting()

    def _has_room(self) -> bool:
        return self.num_under_way < self.limit

    def _start_waiting(self) -> None:
        if not self.num_waiting or asyncio.get_running_loop().time() < self._paused_until:
            return
        while self._has_room() and (waiter := self._take_first()) is not None:
            self.num_under_way += 1
            waiter.set_result(None)

    def _take_first(self) -> asyncio.Future[None] | None:
        for queue in (self._returning, self._waiters):
            while queue:
                waiter = queue.popleft()
                # Cancelled waiters stay in the queue: removing one would take a linear search.
                if not waiter.done():
                    self.num_waiting -= 1
                    return waiter
        return None
