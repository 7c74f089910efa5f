"""Idempotent creation at a service without idempotency keys, and retries of read-only calls."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from nip.language_models.engine.waiting import ServiceWaits
from nip.language_models.errors import ErrorPolicy, LanguageModelError

Answer = TypeVar("Answer")

_NUM_TRIES = 8
_GROWTH = 1.5
_LARGEST_FACTOR = 6.0
# A service may list new objects with a delay, so a search is repeated. In multiples of `poll_s`.
_LOOK_UP_AFTER = (0.0, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class PollingPolicy:
    """Intervals between requests for the status of a job, and between retries."""

    poll_s: float = 10.0
    """First interval in seconds; intervals grow to six times this."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits for some seconds; exchangeable for tests."""

    now: Callable[[], float] = time.monotonic
    """Returns the time in seconds; exchangeable for tests."""

    max_wait_s: float = 3600.0
    """Longest wait that a service may ask for in seconds; after a longer one the run stops."""

    def pause_s(self, number: int) -> float:
        """Return the seconds to wait after the request with this number, counted from 0."""
        # The exponent is bounded, because a job may be polled often enough to overflow a float.
        return self.poll_s * min(_GROWTH ** min(number, 20), _LARGEST_FACTOR)

    async def after(self, number: int, error: LanguageModelError) -> None:
        """Wait after an error, at least as long as the service requests.

        Raises
        ------
        ServiceUnavailableError
            If it requests too long a wait.
        """
        await self.sleep(max(self.pause_s(number), self.checked_wait_s(error)))

    def checked_wait_s(self, error: LanguageModelError) -> float:
        """Return the seconds that a service asks to wait; announce a long wait.

        Raises
        ------
        ServiceUnavailableError
            If it asks for too long a wait.
        """
        seconds = error.retry_after or 0.0
        waits = ServiceWaits("The fine-tuning service", self.max_wait_s, self.now)
        waits.check(seconds, str(error))
        return seconds


def is_transient(error: LanguageModelError) -> bool:
    """Tell whether a retry may succeed."""
    return error.policy in (ErrorPolicy.RETRY, ErrorPolicy.PAUSE_MODEL)


async def retry(request: Callable[[], Awaitable[Answer]], polling: PollingPolicy) -> Answer:
    """Send a request without side effects, with up to eight tries while errors are transient."""
    for number in range(_NUM_TRIES):
        try:
            return await request()
        except LanguageModelError as error:
            if not is_transient(error) or number == _NUM_TRIES - 1:
                raise
            await polling.after(number, error)
    raise AssertionError("unreachable")


async def create_idempotently(
    create: Callable[[], Awaitable[Answer]],
    find: Callable[[], Awaitable[Answer | None]],
    polling: PollingPolicy,
    may_exist: bool,
) -> Answer:
    """Create an object at a service at most once, and return it.

    After an error that leaves open whether the object was created (timeout, cut connection,
    malformed response), and if an earlier process may have requested it (``may_exist``), the
    service is searched before the creation is requested (again). The first error that is not
    transient is raised, or the last of eight.

    Parameters
    ----------
    create : Callable[[], Awaitable[Answer]]
        Requests the creation, without retries.
    find : Callable[[], Awaitable[Answer | None]]
        Searches for the object; None if it does not exist.
    """
    for number in range(_NUM_TRIES):
        if may_exist:
            found = await _look_up(find, polling)
            if found is not None:
                return found
        try:
            return await create()
        except LanguageModelError as error:
            if not is_transient(error) or number == _NUM_TRIES - 1:
                raise
            # A refusal for the rate limit (PAUSE_MODEL) proves that nothing was created; after any
            # other transient error the object may exist.
            may_exist = may_exist or error.policy is ErrorPolicy.RETRY
            await polling.after(number, error)
    raise AssertionError("unreachable")


async def _look_up(
    find: Callable[[], Awaitable[Answer | None]], polling: PollingPolicy
) -> Answer | None:
    for factor in _LOOK_UP_AFTER:
        if factor:
            await polling.sleep(factor * polling.poll_s)
        found = await retry(find, polling)
        if found is not None:
            return found
    return None
