"""The queue of calls of one model: concurrency limit, rate limit, pauses and outages."""

import asyncio

from nip.language_models.chat import ChatModel, Completion
from nip.language_models.engine.call import Call
from nip.language_models.engine.concurrency import AdaptiveLimiter
from nip.language_models.engine.options import EngineOptions
from nip.language_models.engine.rate_limiter import RateLimiter, UsageSnapshot
from nip.language_models.engine.refusals import Refusals
from nip.language_models.engine.stats import ModelQueueStats
from nip.language_models.engine.waiting import NoteWait, ServiceWaits
from nip.language_models.errors import (
    LanguageModelError,
    ServiceUnavailableError,
)

# Rough averages for English text and current tokenizers, to estimate how much of the token limit a
# request uses before the service reports it.
_CHARACTERS_PER_TOKEN = 4
_TYPICAL_COMPLETION_TOKENS = 300


class ModelQueue:
    """A model with its concurrency limiter and its rate limiter."""

    def __init__(
        self, model: ChatModel, options: EngineOptions, note_wait: NoteWait | None = None
    ) -> None:
        self.model = model
        initial = options.initial_concurrency or options.max_concurrency
        self.limiter = AdaptiveLimiter(options.max_concurrency, initial)
        self.waits = ServiceWaits(model.spec.model_name, options.max_wait_s, _now, note_wait)
        self.has_answered = False
        """Whether the service has answered any call, so that it was reachable."""
        self._refusals = Refusals()
        self._rate_limiter = RateLimiter()
        self._options = options
        self._num_probes = 0
        self._probing_since = 0.0

    @property
    def stats(self) -> ModelQueueStats:
        """Counts of running and waiting calls."""
        limiter = self.limiter
        return ModelQueueStats(limiter.num_under_way, limiter.num_waiting, limiter.limit)

    async def enter(self, call: Call, ahead: bool) -> UsageSnapshot:
        """Wait until a call may be sent, ``ahead`` of first tries if it is a retry.

        Each return requires one ``leave``. Returns what was sent so far, for ``note_answer``.

        Raises
        ------
        ServiceUnavailableError
            If the rate limits of the service require too long a wait.
        """
        while True:
            await self.limiter.acquire(ahead)
            num_tokens = _estimate_tokens(call) if self._rate_limiter.counts_tokens else 0
            delay = self._rate_limiter.delay(num_tokens, _now())
            if not delay:
                return self._rate_limiter.take(num_tokens)
            # Pause before the release: otherwise the slot would go to the next call, which would
            # compute the same delay. The call keeps its place by queueing ahead.
            self.limiter.pause(delay)
            self.limiter.release()
            self.waits.check(delay, "The rate limit that the service reports is reached.")
            ahead = True

    def leave(self) -> None:
        """Free the slot of a call that has ended."""
        self.limiter.release()

    def note_answer(self, snapshot: UsageSnapshot, completion: Completion) -> None:
        """Update the limits after an answer to the call that entered with this snapshot."""
        self.has_answered = True
        self._num_probes = 0
        self.limiter.is_probing = False
        self.waits.note_answer()
        self._refusals.note_answer(_now())
        self.limiter.note_answer()
        if completion.rate_limits is not None:
            self._rate_limiter.observe(completion.rate_limits, snapshot, _now())

    def note_error(
        self, error: LanguageModelError, call: Call, started_at: float
    ) -> LanguageModelError:
        """Update the limits after a failed call, and return the error to handle.

        A ``retry_after`` of the service pauses the whole queue, and so does an unreachable service.
        The growing backoff of a single call is applied by its ``RetryPolicy`` instead.

        Raises
        ------
        ServiceUnavailableError
            If the call would have to wait for too long.
        """
        error = self._refusals.judge(call, error, started_at)
        if error.is_unreachable:
            self._note_unreachable(error, started_at)
        if error.is_saturation:
            self.limiter.note_refusal()
        if error.pauses_model:
            seconds = error.retry_after or self._options.first_backoff_s
            self.waits.check(seconds, str(error))
            self.limiter.pause(seconds)
        return error

    def is_limited(self, error: LanguageModelError) -> bool:
        """Tell whether an error counts as one of the retries of a call.

        A service that cannot be reached is no fault of a call.
        """
        return not error.is_unreachable

    def _note_unreachable(self, error: LanguageModelError, started_at: float) -> None:
        """Let only one call at a time try whether the service is reachable again."""
        if self.limiter.is_probing and started_at <= self._probing_since:
            # The call was under way when the outage began.
            return
        self._num_probes += 1
        if self.has_answered:
            self.waits.note_unreachable(error, self._num_probes)
        else:
            self._note_never_reached(error)
        self.limiter.is_probing = True
        self._probing_since = _now()
        self.limiter.pause(self._pause_after(self._num_probes))

    def _note_never_reached(self, error: LanguageModelError) -> None:
        last = self._options.num_connection_errors + 1
        if self._num_probes >= last:
            raise ServiceUnavailableError(
                f"{error} No call has been answered, and {self._num_probes} tries in a row failed."
            )
        seconds = sum(map(self._pause_after, range(self._num_probes, last)))
        self.waits.note_never_reached(
            error, self.model.address, self._num_probes, last - self._num_probes, seconds
        )

    def _pause_after(self, num_probes: int) -> float:
        """Return the seconds between a failed try to reach the service and the next one."""
        options, doublings = self._options, min(num_probes - 1, 40)
        return min(options.first_backoff_s * 2.0**doublings, options.max_backoff_s)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _estimate_tokens(call: Call) -> int:
    num_characters = sum(len(message["content"]) for message in call.messages)
    completion = call.sampling.max_tokens or _TYPICAL_COMPLETION_TOKENS
    return num_characters // _CHARACTERS_PER_TOKEN + completion
