"""How many calls of one model are under way at once.

The limit follows what the service bears, as the window of TCP follows the line: in proportion to
the share of calls that were refused (Alizadeh et al. 2010, "Data Center TCP"), so that a service
which refuses a few calls at random is not taken for one that is saturated.
"""

import asyncio
from collections import deque

from nip.language_models.errors import LanguageModelError

# A round in which every call is refused halves the limit; one in which every call is answered lets
# it grow by a twentieth, or at least by one.
_SHRINK_PER_REFUSAL = 0.5
_GROWTH_PER_ANSWER = 0.05


class AdaptiveLimiter:
    """Lets calls through, first come, first served, as long as few enough are under way.

    Belongs to one event loop.

    Parameters
    ----------
    cap : int
        The limit never grows above this.
    initial : int
        The limit in the beginning. It doubles with every round of answers until the service refuses
        a call for the first time, and later up to half of what was refused.
    """

    def __init__(self, cap: int, initial: int) -> None:
        assert initial >= 1, initial
        self.cap = cap
        self.num_under_way = 0
        self.num_waiting = 0
        self._limit = float(min(initial, cap))
        self._doubles_below = float(cap)
        self._was_refused = False
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._returning: deque[asyncio.Future[None]] = deque()
        self._paused_until = 0.0

    @property
    def limit(self) -> int:
        """How many calls may be under way at present."""
        return int(self._limit)

    async def acquire(self, ahead: bool = False) -> None:
        """Wait for leave to start a call; every return must be answered by a ``release``.

        Parameters
        ----------
        ahead : bool
            Whether to wait before all who come for the first time, as one who has waited before.
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
                # The task was cancelled in the same moment that it was let through.
                self.release()
            raise

    def release(self) -> None:
        """Say that a call has ended, in whatever way."""
        self.num_under_way -= 1
        self._let_through()

    def note_answer(self) -> None:
        """Say that a call was answered, while it still counts as under way."""
        self._was_refused = False
        is_in_use = self.num_under_way >= self.limit
        if is_in_use and self._limit < self.cap:
            doubles = self._limit < self._doubles_below
            growth = 1.0 if doubles else max(1.0 / self._limit, _GROWTH_PER_ANSWER)
            self._limit = min(self._limit + growth, float(self.cap))

    def note_refusal(self) -> None:
        """Say that a call was refused because there are too many."""
        if not self._was_refused:
            # An outage refuses all, one after the other; what was fine before is soon tried again.
            self._doubles_below = self._limit / 2
        self._was_refused = True
        self._limit = max(1.0, self._limit - _SHRINK_PER_REFUSAL)

    def pause(self, seconds: float) -> None:
        """Let no call through for so long; the longest of several pauses counts."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if until > self._paused_until:
            self._paused_until = until
            loop.call_at(until, self._end_pause, until)

    def stop(self, error: LanguageModelError) -> None:
        """Raise an error in everyone who waits."""
        while (waiter := self._take_first()) is not None:
            waiter.set_exception(error)

    def _end_pause(self, until: float) -> None:
        # Timers may go off a moment early, so this does not look at the clock.
        if until == self._paused_until:
            self._paused_until = 0.0
            self._let_through()

    def _has_room(self) -> bool:
        return self.num_under_way < self.limit

    def _let_through(self) -> None:
        if not self.num_waiting or asyncio.get_running_loop().time() < self._paused_until:
            return
        while self._has_room() and (waiter := self._take_first()) is not None:
            self.num_under_way += 1
            waiter.set_result(None)

    def _take_first(self) -> asyncio.Future[None] | None:
        for queue in (self._returning, self._waiters):
            while queue:
                waiter = queue.popleft()
                # A cancelled one was left there, because taking it out would cost a search.
                if not waiter.done():
                    self.num_waiting -= 1
                    return waiter
        return None
