"""The queue of calls of one model: concurrency limit, rate limit and pauses."""

import asyncio

from nip.language_models.chat import ChatModel, Completion
from nip.language_models.engine.call import Call
from nip.language_models.engine.concurrency import AdaptiveLimiter
from nip.language_models.engine.options import EngineOptions
from nip.language_models.engine.rate_limiter import RateLimiter, UsageSnapshot
from nip.language_models.engine.stats import ModelQueueStats
from nip.language_models.errors import LanguageModelError

# Rough averages for English text and current tokenizers, to estimate how much of the token limit a
# request uses before the service reports it.
_CHARACTERS_PER_TOKEN = 4
_TYPICAL_COMPLETION_TOKENS = 300


class ModelQueue:
    """A model with its concurrency limiter and its rate limiter."""

    def __init__(self, model: ChatModel, options: EngineOptions) -> None:
        self.model = model
        initial = options.initial_concurrency or options.max_concurrency
        self.limiter = AdaptiveLimiter(options.max_concurrency, initial)
        self._rate_limiter = RateLimiter()
        self._shortest_pause = options.first_backoff_s

    @property
    def stats(self) -> ModelQueueStats:
        """Counts of running and waiting calls."""
        limiter = self.limiter
        return ModelQueueStats(limiter.num_under_way, limiter.num_waiting, limiter.limit)

    async def enter(self, call: Call, ahead: bool) -> UsageSnapshot:
        """Wait until a call may be sent, ``ahead`` of first tries if it is a retry.

        Each return requires one ``leave``. Returns what was sent so far, for ``note_answer``.
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
            ahead = True

    def leave(self) -> None:
        """Free the slot of a call that has ended."""
        self.limiter.release()

    def note_answer(self, snapshot: UsageSnapshot, completion: Completion) -> None:
        """Update the limits after an answer to the call that entered with this snapshot."""
        self.limiter.note_answer()
        if completion.rate_limits is not None:
            self._rate_limiter.observe(completion.rate_limits, snapshot, _now())

    def note_error(self, error: LanguageModelError) -> None:
        """Update the limits after a failed call.

        A ``retry_after`` of the service pauses the whole queue. The growing backoff of a single
        call is applied by its ``RetryPolicy`` instead.
        """
        if error.is_saturation:
            self.limiter.note_refusal()
        if error.pauses_model:
            self.limiter.pause(error.retry_after or self._shortest_pause)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _estimate_tokens(call: Call) -> int:
    num_characters = sum(len(message["content"]) for message in call.messages)
    completion = call.sampling.max_tokens or _TYPICAL_COMPLETION_TOKENS
    return num_characters // _CHARACTERS_PER_TOKEN + completion
