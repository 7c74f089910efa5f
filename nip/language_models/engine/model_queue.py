"""One model with all that limits how it is asked."""

import asyncio

from nip.language_models.chat import ChatModel, Completion
from nip.language_models.engine.call import Call
from nip.language_models.engine.concurrency import AdaptiveLimiter
from nip.language_models.engine.options import EngineOptions
from nip.language_models.engine.rate_limiter import RateLimiter, UsageSnapshot
from nip.language_models.engine.stats import LaneStats
from nip.language_models.errors import LanguageModelError

# English text in the tokenizers of today; only to guess what a request counts for.
_CHARACTERS_PER_TOKEN = 4
_USUAL_COMPLETION_TOKENS = 300


class ModelQueue:
    """A model, its limit of concurrency, and its allowance per minute.

    Parameters
    ----------
    model : ChatModel
        The model.
    options : EngineOptions
        Where concurrency begins and how far it may grow.
    """

    def __init__(self, model: ChatModel, options: EngineOptions) -> None:
        self.model = model
        initial = options.initial_concurrency or options.max_concurrency
        self.limiter = AdaptiveLimiter(options.max_concurrency, initial)
        self._budget = RateLimiter()
        self._shortest_pause = options.first_backoff_s

    @property
    def stats(self) -> LaneStats:
        """How the model is being asked."""
        limiter = self.limiter
        return LaneStats(limiter.num_under_way, limiter.num_waiting, limiter.limit)

    async def enter(self, call: Call, ahead: bool) -> UsageSnapshot:
        """Wait until the call may be sent. Every return must be answered by ``leave``.

        Parameters
        ----------
        call : Call
            What will be asked.
        ahead : bool
            Whether it has waited before, and so goes before all others.
        """
        while True:
            await self.limiter.acquire(ahead)
            num_tokens = _guess_tokens(call) if self._budget.counts_tokens else 0
            delay = self._budget.delay(num_tokens, _now())
            if not delay:
                return self._budget.take(num_tokens)
            self.limiter.pause(delay)
            self.limiter.release()
            ahead = True

    def leave(self) -> None:
        """Say that the call has ended."""
        self.limiter.release()

    def note_answer(self, mark: UsageSnapshot, completion: Completion) -> None:
        """Learn from an answer to the call that entered with a mark."""
        self.limiter.note_answer()
        if completion.rate_limits is not None:
            self._budget.observe(completion.rate_limits, mark, _now())

    def note_error(self, error: LanguageModelError) -> None:
        """Learn from a failure.

        What the service asks for holds for all calls; that one call waits longer with every try is
        its own affair.
        """
        if error.is_saturation:
            self.limiter.note_refusal()
        if error.pauses_model:
            self.limiter.pause(error.retry_after or self._shortest_pause)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _guess_tokens(call: Call) -> int:
    num_characters = sum(len(message["content"]) for message in call.messages)
    completion = call.sampling.max_tokens or _USUAL_COMPLETION_TOKENS
    return num_characters // _CHARACTERS_PER_TOKEN + completion
