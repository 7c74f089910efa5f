"""The engine, which schedules all calls of language models in a run on one event loop.

A call passes these steps: journal lookup, response cache, model queue (concurrency and rate
limits), reservation of its worst case in the budget, request with retries, usage tracking, journal
entry. Callers may start any
number of calls at once.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Self

from nip.language_models.chat import ChatModel, Completion, ModelSpec
from nip.language_models.costs.budget import Budget, Reservation
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.costs.worst_case import worst_case
from nip.language_models.engine.bookkeeping import Bookkeeper
from nip.language_models.engine.cache import ResponseCache
from nip.language_models.engine.call import Call, request_digest
from nip.language_models.engine.journal import Journal
from nip.language_models.engine.model_queue import ModelQueue
from nip.language_models.engine.options import EngineOptions
from nip.language_models.engine.rate_limiter import UsageSnapshot
from nip.language_models.engine.refusals import final_refusal
from nip.language_models.engine.retry_policy import RetryPolicy
from nip.language_models.engine.returned_completion import returned_completion
from nip.language_models.engine.stats import EngineStats
from nip.language_models.engine.waiting import NoteWait
from nip.language_models.errors import (
    BudgetExceededError,
    ErrorPolicy,
    LanguageModelError,
    ModelTimeoutError,
    ServiceUnavailableError,
    UnknownApiError,
)
from nip.language_models.provider_registry import ConnectionContext, build_chat_model
from nip.utils.event_loop import timeout_while_running

BuildModel = Callable[[ModelSpec, ConnectionContext], ChatModel]


class Engine:
    """Runs calls of language models concurrently, and stores every answer.

    Use it in an ``async with`` statement, on one event loop. Closing it does not close journal and
    cache.

    Parameters
    ----------
    context : ConnectionContext, optional
        Connection settings of all models.
    options : EngineOptions, optional
        Limits of concurrency, timeouts and retries.
    journal : Journal, optional
        Stores every answer before ``complete`` returns it, and is searched first; None: no journal.
    usage_tracker : UsageTracker, optional
        Counts tokens and costs, and holds the limits of the budget.
    cache : ResponseCache, optional
        Completions shared with other runs.
    build_model : BuildModel
        Builds each model on its first call.
    note_wait : NoteWait, optional
        Called when a long wait for a service begins, and when it is over.
    """

    def __init__(
        self,
        context: ConnectionContext | None = None,
        options: EngineOptions | None = None,
        *,
        journal: Journal | None = None,
        usage_tracker: UsageTracker | None = None,
        cache: ResponseCache | None = None,
        build_model: BuildModel = build_chat_model,
        note_wait: NoteWait | None = None,
    ) -> None:
        self.options = options or EngineOptions()
        self.usage_tracker = usage_tracker or UsageTracker()
        self._context = context or ConnectionContext()
        self._budget = Budget(self.usage_tracker)
        self._books = Bookkeeper(journal, cache, self.usage_tracker, self._budget)
        self._build_model = build_model
        self._note_wait = note_wait
        self._queues: dict[ModelSpec, ModelQueue] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._end: LanguageModelError | None = None
        self._ending = asyncio.Event()
        # Seeded by the operating system, not by the run: jitter must differ between processes that
        # share a service, and it only affects waiting times, never results.
        self._jitter = random.Random()
        self._num_answers = 0
        self._retries: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    async def complete(self, call: Call) -> Completion:
        """Return the completion of a call. It is in the journal when this returns.

        A cancelled caller does not cancel a request that was sent: its answer is still written to
        the journal as long as the engine is open.

        Raises
        ------
        LanguageModelError
            If the call failed and no retry is left. If the policy of the error is ``END_RUN``, all
            calls raise it: waiting ones immediately, running ones after their answers have been
            written to the journal.
        ResumeError
            If the journal contains a different request under the key of the call.
        """
        self._raise_if_ended()
        digest = request_digest(call) if self._books.stores_answers else ""
        address = self._queue(call.model).model.address if digest else ""
        completion = self._books.recall(call, digest, address)
        if completion is None:
            completion = await self._ask_until_answered(call, digest)
            self._raise_if_ended()
        self._num_answers += 1
        return completion

    def recount(self, prefix: str) -> None:
        """Count the answers in the journal below a prefix; call it before the first call.

        Otherwise answers of an earlier process count against the budget only once they are asked
        for, and a new call may be sent before that.
        """
        self._books.recount(prefix)

    @property
    def stats(self) -> EngineStats:
        """Counts of calls, retries, failures and usage."""
        return EngineStats(
            num_answers=self._num_answers,
            num_from_journal=self._books.num_from_journal,
            num_from_cache=self._books.num_from_cache,
            # The set keeps a task until the turn of the event loop after its end.
            num_under_way=sum(not task.done() for task in self._under_way),
            num_retries=dict(sorted(self._retries.items())),
            num_failures=dict(sorted(self._failures.items())),
            usage=self.usage_tracker.total.usage,
            cost=self.usage_tracker.cost,
            models={spec: self._queues[spec].stats for spec in sorted(self._queues)},
        )

    async def aclose(self) -> None:
        """Wait up to ``drain_s`` for running requests, which are paid for, and close the models."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self.options.drain_s)
        remaining = list(self._under_way)
        for task in remaining:
            task.cancel()
        await asyncio.gather(*remaining, return_exceptions=True)
        self._budget.close()
        for queue in self._queues.values():
            await queue.model.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def _ask_until_answered(self, call: Call, digest: str) -> Completion:
        queue = self._queue(call.model)
        retry_policy = RetryPolicy(self.options, self._jitter)
        num_tries = 0
        while True:
            answer = await self._start(queue, call, digest, ahead=num_tries > 0)
            num_tries += 1
            try:
                return await answer
            except LanguageModelError as error:
                await self._prepare_retry(queue, retry_policy, error)

    async def _start(
        self, queue: ModelQueue, call: Call, digest: str, *, ahead: bool
    ) -> asyncio.Future[Completion]:
        """Wait for a slot and for the budget, then send a request; return its future answer.

        It is sent in a separate task, because the service bills a request that was sent: a
        cancelled caller must not keep its answer out of the journal.
        """
        try:
            snapshot = await queue.enter(call, ahead)
        except ServiceUnavailableError as error:
            self._stop(error)
            raise
        try:
            self._raise_if_ended()
            reservation = await self._reserve(call)
        except BaseException as error:
            queue.leave()
            if isinstance(error, BudgetExceededError):
                self._stop(error)
            raise
        answer: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        ask = partial(self._ask, queue, snapshot, reservation, call, digest)
        task = asyncio.create_task(self._settle(answer, ask))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return answer

    async def _settle(
        self, answer: asyncio.Future[Completion], ask: Callable[[], Awaitable[Completion]]
    ) -> None:
        """Give a future the outcome of a request, unless its caller was cancelled.

        Unlike ``asyncio.shield`` this wakes the caller in the next turn of the event loop, not in
        the one after it. With hundreds of calls under way a turn is long.
        """
        try:
            completion = await ask()
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
        except asyncio.CancelledError:
            answer.cancel()
            raise
        else:
            if not answer.done():
                answer.set_result(completion)

    async def _reserve(self, call: Call) -> Reservation | None:
        if not self._budget.is_limited:
            return None
        worst = worst_case(call.messages, call.sampling.max_tokens)
        return await self._budget.reserve(call.model, worst)

    async def _ask(
        self,
        queue: ModelQueue,
        snapshot: UsageSnapshot,
        reservation: Reservation | None,
        call: Call,
        digest: str,
    ) -> Completion:
        """Send one request, and store its answer.

        There is no ``await`` between the answer and its journal entry, so cancellation cannot
        separate them.
        """
        started_at = asyncio.get_running_loop().time()
        try:
            self._books.note_sent(call)
            completion = returned_completion(call.model.provider, await self._complete(queue, call))
            queue.note_answer(snapshot, completion)
            return self._books.keep(call, digest, queue.model.address, completion)
        except LanguageModelError as error:
            self._books.note_failure(call, error)
            # Before `leave` frees the slot: otherwise the next call would start and get the same
            # error before the pause or the end of the run takes effect.
            judged = self._note_error(queue, call, error, started_at)
            if judged is error:
                raise
            raise judged from None
        finally:
            # After the charge was counted, so that the budget never looks larger than it is.
            if reservation is not None:
                self._budget.release(reservation)
            queue.leave()

    async def _complete(self, queue: ModelQueue, call: Call) -> Completion:
        try:
            async with timeout_while_running(self.options.timeout_s):
                return await queue.model.complete_turn(call.messages, call.sampling, call.dialogue)
        except TimeoutError as error:
            message = f"{call.model.model_name}: no answer within {self.options.timeout_s:g} s."
            late = ModelTimeoutError(message)
            late.is_charged = "unknown"
            raise late from error
        except asyncio.CancelledError as error:
            # The service may finish and charge a request whose answer nobody waits for.
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                stray = UnknownApiError(
                    f"{call.model.model_name}: the provider {call.model.provider!r} raised "
                    "CancelledError although nothing had cancelled the request. A task that it "
                    "waits for was cancelled."
                )
                stray.is_charged = "unknown"
                raise stray from error
            cancelled = LanguageModelError("The request was cancelled.")
            cancelled.is_charged = "unknown"
            self._books.note_failure(call, cancelled)
            raise

    def _note_error(
        self, queue: ModelQueue, call: Call, error: LanguageModelError, started_at: float
    ) -> LanguageModelError:
        """Update the queue, and stop the run if the error ends it; return the error to handle."""
        try:
            error = queue.note_error(error, call, started_at)
        except ServiceUnavailableError as unavailable:
            error = unavailable
        if error.policy is ErrorPolicy.END_RUN:
            self._stop(error)
        return error

    async def _prepare_retry(
        self, queue: ModelQueue, retry_policy: RetryPolicy, error: LanguageModelError
    ) -> None:
        """Wait until the next try; raise the error if none is left."""
        self._raise_if_ended()
        seconds = None
        if error.policy is not ErrorPolicy.END_CALL:
            seconds = retry_policy.seconds_to_wait(error, is_limited=queue.is_limited(error))
        name = type(error).__name__
        if seconds is None:
            self._failures[name] += 1
            error = final_refusal(error)
            if error.policy is ErrorPolicy.END_RUN:
                self._stop(error)
            raise error
        self._retries[name] += 1
        if not error.pauses_model and not error.is_unreachable:
            queue.waits.check(min(seconds, self.options.max_wait_s), str(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        self._raise_if_ended()

    def _queue(self, spec: ModelSpec) -> ModelQueue:
        queue = self._queues.get(spec)
        if queue is None:
            queue = self._queues[spec] = ModelQueue(
                self._build_model(spec, self._context), self.options, self._note_wait
            )
        return queue

    def _stop(self, error: LanguageModelError) -> None:
        """Make all current and future calls raise an error."""
        if self._end is None:
            self._end = error
            self._ending.set()
            for queue in self._queues.values():
                queue.limiter.stop(error)
            self._budget.stop(error)

    def _raise_if_ended(self) -> None:
        if self._end is not None:
            # Thousands of callers raise the same exception object; each would append its frames to
            # one growing traceback.
            raise self._end.with_traceback(None)
