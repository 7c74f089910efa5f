"""Calls of a service that may fail, and must not be done twice."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from nip.language_models.errors import ErrorPolicy, LanguageModelError

Answer = TypeVar("Answer")

_NUM_TRIALS = 8
_GROWTH = 1.5
_LARGEST_FACTOR = 6.0
# A service may list what it has just made a little later. In units of `poll_s`.
_LOOK_UP_AFTER = (0.0, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class PollingPolicy:
    """How fast a service is asked again."""

    poll_s: float = 10.0
    """Seconds before the second question; later pauses grow to six times as much."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits for some seconds."""

    now: Callable[[], float] = time.monotonic
    """Tells the time in seconds."""

    def pause_s(self, number: int) -> float:
        """Return the seconds to wait after the question with this number, from 0."""
        return self.poll_s * min(_GROWTH ** min(number, 20), _LARGEST_FACTOR)

    async def after(self, number: int, error: LanguageModelError) -> None:
        """Wait after an error, at least as long as the service asks for."""
        await self.sleep(max(self.pause_s(number), error.retry_after or 0.0))


def is_transient(error: LanguageModelError) -> bool:
    """Tell whether the same question may be answered later."""
    return error.policy in (ErrorPolicy.RETRY, ErrorPolicy.PAUSE_MODEL)


async def ask(question: Callable[[], Awaitable[Answer]], pace: PollingPolicy) -> Answer:
    """Ask for something that changes nothing, again and again while errors are transient.

    Raises
    ------
    LanguageModelError
        The first error that will not pass, or the last of eight.
    """
    for number in range(_NUM_TRIALS):
        try:
            return await question()
        except LanguageModelError as error:
            if not is_transient(error) or number == _NUM_TRIALS - 1:
                raise
            await pace.after(number, error)
    raise AssertionError("unreachable")


async def do_once(
    make: Callable[[], Awaitable[Answer]],
    find: Callable[[], Awaitable[Answer | None]],
    pace: PollingPolicy,
    may_be_done: bool,
) -> Answer:
    """Have the service make something exactly once.

    After an error that leaves open whether it was made (a timeout, a cut connection, a broken
    answer), and when an earlier process may have asked for it, the service is searched before it is
    asked to make it (again).

    Parameters
    ----------
    make : Callable[[], Awaitable[Answer]]
        Asks the service to make it, once.
    find : Callable[[], Awaitable[Answer | None]]
        Looks for it; None if the service has none.
    pace : PollingPolicy
        How fast the service is asked again.
    may_be_done : bool
        Whether it may have been asked for already.

    Raises
    ------
    LanguageModelError
        The first error that will not pass, or the last of eight.
    """
    for number in range(_NUM_TRIALS):
        if may_be_done:
            found = await _look_up(find, pace)
            if found is not None:
                return found
        try:
            return await make()
        except LanguageModelError as error:
            if not is_transient(error) or number == _NUM_TRIALS - 1:
                raise
            # A service that says "too many requests" has not done what it was asked.
            may_be_done = may_be_done or error.policy is ErrorPolicy.RETRY
            await pace.after(number, error)
    raise AssertionError("unreachable")


async def _look_up(
    find: Callable[[], Awaitable[Answer | None]], pace: PollingPolicy
) -> Answer | None:
    for factor in _LOOK_UP_AFTER:
        if factor:
            await pace.sleep(factor * pace.poll_s)
        found = await ask(find, pace)
        if found is not None:
            return found
    return None
