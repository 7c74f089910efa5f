"""How many calls of one model are under way at once.

The limit follows what the service bears, as the window of TCP follows the line (Jacobson 1988): it
shrinks by a factor when the service says that it is saturated, and grows again by a little with
every answer.
"""

import asyncio
from collections import deque

from nip.language_models.errors import LanguageModelError

_SHRINK_FACTOR = 0.7
_GROWTH_PER_ROUND = 0.05


class AdaptiveLimiter:
    """Lets calls through, first come, first served, as long as few enough are under way.

    Belongs to one event loop.

    Parameters
    ----------
    cap
        The limit never grows above this.
    initial
        The limit in the beginning; it doubles with every round of answers until the service is
        saturated for the first time.
    """

    def __init__(self, cap: int, initial: int) -> None:
        assert initial >= 1, initial
        self.cap = cap
        self.num_under_way = 0
        self.num_waiting = 0
        self._limit = float(min(initial, cap))
        self._is_doubling = True
        self._num_started = 0
        self._num_started_at_shrink = 0
        self._waiters: deque[asyncio.Future[int]] = deque()
        self._paused_until = 0.0

    @property
    def limit(self) -> int:
        """How many calls may be under way at present."""
        return int(self._limit)

    async def acquire(self, ahead: bool = False) -> int:
        """Wait for leave to start a call; every return must be answered by a `release`.

        Parameters
        ----------
        ahead
            Whether to wait at the head of the queue, as one who has waited before.

        Returns
        -------
        ticket
            Number of the call among those started here, from 1.
        """
        loop = asyncio.get_running_loop()
        may_start = ahead or not self.num_waiting
        if may_start and self._has_room() and loop.time() >= self._paused_until:
            return self._start()
        waiter: asyncio.Future[int] = loop.create_future()
        (self._waiters.appendleft if ahead else self._waiters.append)(waiter)
        self.num_waiting += 1
        try:
            return await waiter
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

    def note_success(self, ticket: int) -> None:
        """Say that a call was answered, while it still counts as under way."""
        is_in_use = self.num_under_way >= self.limit
        if ticket <= self._num_started_at_shrink or not is_in_use or self._limit >= self.cap:
            return
        # As many answers as the limit make one round.
        growth = 1.0 if self._is_doubling else max(1.0 / self._limit, _GROWTH_PER_ROUND)
        self._limit = min(self._limit + growth, float(self.cap))

    def note_saturation(self, ticket: int) -> None:
        """Say that a call was refused because the service is saturated.

        All calls that were under way when the limit shrank tell of the same congestion, so only the
        first of them counts.
        """
        if ticket <= self._num_started_at_shrink:
            return
        self._num_started_at_shrink = self._num_started
        self._is_doubling = False
        in_use = min(self._limit, float(self.num_under_way))
        self._limit = max(1.0, in_use * _SHRINK_FACTOR)

    def pause(self, seconds: float) -> None:
        """Let no call through for so long; the longest of several pauses counts."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if until > self._paused_until:
            self._paused_until = until
            loop.call_at(until, self._let_through)

    def stop(self, error: LanguageModelError) -> None:
        """Raise an error in everyone who waits."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self.num_waiting -= 1
                waiter.set_exception(error)

    def _has_room(self) -> bool:
        return self.num_under_way < self.limit

    def _start(self) -> int:
        self.num_under_way += 1
        self._num_started += 1
        return self._num_started

    def _let_through(self) -> None:
        if not self._waiters or asyncio.get_running_loop().time() < self._paused_until:
            return
        while self._waiters and self._has_room():
            waiter = self._waiters.popleft()
            # A cancelled one is left in the queue, because taking it out would cost a search.
            if not waiter.done():
                self.num_waiting -= 1
                waiter.set_result(self._start())
