"""Idempotent creation at a service without idempotency keys, and retries of read-only calls."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from nip.language_models.engine.waiting import NoteWait, ServiceWaits
from nip.language_models.errors import (
    ErrorPolicy,
    LanguageModelError,
    ModelConnectionError,
    ModelTimeoutError,
    OverloadError,
    RateLimitError,
    ServiceUnavailableError,
)

Answer = TypeVar("Answer")

# Tries after errors that are no outage, and of requests that the run can do without.
_NUM_TRIES = 8
_OUTAGES = (RateLimitError, OverloadError, ModelTimeoutError, ModelConnectionError)
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
    """Longest wait for a service in seconds; if more is necessary, the run stops."""

    note_wait: NoteWait | None = None
    """Called when a wait is announced, and when it is over."""

    def pause_s(self, number: int) -> float:
        """Return the seconds to wait after the request with this number, counted from 0."""
        # The exponent is bounded, because a job may be polled often enough to overflow a float.
        return self.poll_s * min(_GROWTH ** min(number, 20), _LARGEST_FACTOR)

    async def wait(self, number: int, error: LanguageModelError, waits: ServiceWaits) -> None:
        """Wait after the failure with this number, at least as long as the service requests.

        Raises
        ------
        ServiceUnavailableError
            If it requests too long a wait.
        """
        requested_s = error.retry_after or 0.0
        waits.check(requested_s, str(error))
        await self.sleep(max(self.pause_s(number), requested_s))

    def waits_of(self, what: str) -> ServiceWaits:
        """Return the waits of a request, which is named in the messages."""
        return ServiceWaits(what, self.max_wait_s, self.now, self.note_wait)


def is_transient(error: LanguageModelError) -> bool:
    """Tell whether a retry may succeed."""
    return error.policy in (ErrorPolicy.RETRY, ErrorPolicy.PAUSE_MODEL)


async def retry(request: Callable[[], Awaitable[Answer]], polling: PollingPolicy) -> Answer:
    """Send a request whose failure does not stop the run, with up to eight tries.

    It has no side effects, and is repeated only after transient errors.
    """
    waits = polling.waits_of("The fine-tuning service")
    for number in range(_NUM_TRIES):
        try:
            return await request()
        except LanguageModelError as error:
            if not is_transient(error) or number == _NUM_TRIES - 1:
                raise
            await polling.wait(number, error, waits)
    raise AssertionError("unreachable")


async def create_idempotently(
    create: Callable[[], Awaitable[Answer]],
    find: Callable[[], Awaitable[Answer | None]],
    polling: PollingPolicy,
    may_exist: bool,
    what: str,
) -> Answer:
    """Create an object at a service at most once, and return it.

    After an error that leaves open whether the object was created (timeout, cut connection,
    malformed response), and if an earlier process may have requested it (``may_exist``), the
    service is searched before the creation is requested (again). Errors that are not transient are
    raised at once.

    Parameters
    ----------
    create : Callable[[], Awaitable[Answer]]
        Requests the creation, without retries.
    find : Callable[[], Awaitable[Answer | None]]
        Searches for the object; None if it does not exist.
    what : str
        Name of the creation, for messages.

    Raises
    ------
    ServiceUnavailableError
        If the service limits requests, is overloaded or does not answer for longer than
        ``polling.max_wait_s``, or after eight errors of other kinds, such as malformed answers.
    """
    retries, num_odd = _Retries(polling, what), 0
    while True:
        answer = await _look_up(find, polling, retries) if may_exist else None
        try:
            if answer is None:
                answer = await create()
        except LanguageModelError as error:
            # A refusal for the rate limit (PAUSE_MODEL) proves that nothing was created; after any
            # other transient error the object may exist.
            may_exist = may_exist or error.policy is ErrorPolicy.RETRY
            num_odd += _is_odd(error)
            await retries.after(error, num_odd)
        else:
            retries.waits.note_success()
            return answer


class _Retries:
    """Waits after the failures of a creation and of the searches before it."""

    def __init__(self, polling: PollingPolicy, what: str) -> None:
        self.waits = polling.waits_of(what)
        self._polling, self._what = polling, what
        self._num_failures = 0

    async def after(self, error: LanguageModelError, num_odd: int) -> None:
        """Wait after a failure; raise an error if there is no further try.

        ``num_odd`` is the number of errors of the same request that were no outage.
        """
        if not is_transient(error):
            raise error
        self._num_failures += 1
        if num_odd >= _NUM_TRIES:
            raise ServiceUnavailableError(
                f"{self._what} has failed {self._num_failures} times: {error} Everything is saved: "
                "start the run again to try it again."
            ) from None
        self.waits.note_failure(error)
        await self._polling.wait(self._num_failures - 1, error, self.waits)


async def _look_up(
    find: Callable[[], Awaitable[Answer | None]], polling: PollingPolicy, retries: _Retries
) -> Answer | None:
    for factor in _LOOK_UP_AFTER:
        if factor:
            await polling.sleep(factor * polling.poll_s)
        found = await _search(find, retries)
        if found is not None:
            return found
    return None


async def _search(find: Callable[[], Awaitable[Answer | None]], retries: _Retries) -> Answer | None:
    num_odd = 0
    while True:
        try:
            return await find()
        except LanguageModelError as error:
            num_odd += _is_odd(error)
            await retries.after(error, num_odd)


def _is_odd(error: LanguageModelError) -> bool:
    return not isinstance(error, _OUTAGES)
