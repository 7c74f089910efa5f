"""The engine, which schedules all calls of language models in a run on one event loop.

A call passes these steps: journal lookup, response cache, model queue (concurrency and rate
limits), budget check, request with retries, usage tracking, journal entry. Callers may start any
number of calls at once.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from nip.language_models.chat import ChatModel, Completion, ModelSpec
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.engine.cache import ResponseCache, cache_key
from nip.language_models.engine.call import Call, request_digest
from nip.language_models.engine.journal import Journal, from_entry, read_journal, to_entry
from nip.language_models.engine.model_queue import ModelQueue
from nip.language_models.engine.options import EngineOptions
from nip.language_models.engine.rate_limiter import UsageSnapshot
from nip.language_models.engine.retry_policy import RetryPolicy
from nip.language_models.engine.stats import EngineStats
from nip.language_models.errors import (
    BudgetExceededError,
    ErrorPolicy,
    LanguageModelError,
    ModelTimeoutError,
)
from nip.language_models.provider_registry import ConnectionContext, build_chat_model

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
        Counts tokens and costs, and enforces the budget.
    cache : ResponseCache, optional
        Completions shared with other runs.
    build_model : BuildModel
        Builds each model on its first call.
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
    ) -> None:
        self.options = options or EngineOptions()
        self.usage_tracker = usage_tracker or UsageTracker()
        self._context = context or ConnectionContext()
        self._journal = journal
        self._cache = cache
        self._build_model = build_model
        self._queues: dict[ModelSpec, ModelQueue] = {}
        self._under_way: set[asyncio.Task[Completion]] = set()
        self._end: LanguageModelError | None = None
        self._ending = asyncio.Event()
        # Seeded by the operating system, not by the run: jitter must differ between processes that
        # share a service, and it only affects waiting times, never results.
        self._jitter = random.Random()
        self._num_answers = self._num_from_journal = self._num_from_cache = 0
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
        is_kept = self._journal is not None or self._cache is not None
        digest = request_digest(call) if is_kept else ""
        completion = self._recall(call, digest)
        if completion is None:
            completion = await self._ask_until_answered(call, digest)
            self._raise_if_ended()
        self._num_answers += 1
        return completion

    @property
    def stats(self) -> EngineStats:
        """Counts of calls, retries, failures and usage."""
        return EngineStats(
            num_answers=self._num_answers,
            num_from_journal=self._num_from_journal,
            num_from_cache=self._num_from_cache,
            num_under_way=len(self._under_way),
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
        for queue in self._queues.values():
            await queue.model.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def _recall(self, call: Call, digest: str) -> Completion | None:
        """Look a call up in journal and response cache."""
        if self._journal is not None and call.key:
            found = read_journal(self._journal, call.key, digest)
            if found is not None:
                completion, was_cached = found
                self._count(call, completion, was_cached)
                self._num_from_journal += 1
                return completion
        if self._cache is not None:
            entry = self._cache.get(self._cache_key(call, digest))
            if entry is not None:
                completion = from_entry(entry)
                self._keep(call, digest, completion, is_cached=True)
                self._num_from_cache += 1
                return completion
        return None

    async def _ask_until_answered(self, call: Call, digest: str) -> Completion:
        queue = self._queue(call.model)
        retry_policy = RetryPolicy(self.options, self._jitter)
        num_tries = 0
        while True:
            snapshot = await queue.enter(call, ahead=num_tries > 0)
            num_tries += 1
            task = self._start(queue, snapshot, call, digest)
            try:
                # Shielded, because the service bills a request that was sent: a cancelled caller
                # must not keep its answer out of the journal.
                return await asyncio.shield(task)
            except LanguageModelError as error:
                await self._prepare_retry(retry_policy, error)

    def _start(
        self, queue: ModelQueue, snapshot: UsageSnapshot, call: Call, digest: str
    ) -> asyncio.Task[Completion]:
        """Send a request in a separate task, with the queue slot that was acquired for it."""
        try:
            self._raise_if_ended()
            self.usage_tracker.check(len(self._under_way))
        except BudgetExceededError as error:
            queue.leave()
            self._stop(error)
            raise
        except BaseException:
            queue.leave()
            raise
        task = asyncio.create_task(self._ask(queue, snapshot, call, digest))
        self._under_way.add(task)
        task.add_done_callback(self._end_task)
        return task

    def _end_task(self, task: asyncio.Task[Completion]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            # If the caller was cancelled, nobody retrieves the exception. Doing it here keeps
            # asyncio from logging "Task exception was never retrieved".
            task.exception()

    async def _ask(
        self, queue: ModelQueue, snapshot: UsageSnapshot, call: Call, digest: str
    ) -> Completion:
        """Send one request, and store its answer.

        There is no ``await`` between the answer and its journal entry, so cancellation cannot
        separate them.
        """
        try:
            async with asyncio.timeout(self.options.timeout_s):
                completion = await queue.model.complete(call.messages, call.sampling)
            queue.note_answer(snapshot, completion)
            self._keep(call, digest, completion)
            return completion
        except TimeoutError as error:
            message = f"{call.model.model_name}: no answer within {self.options.timeout_s:g} s."
            raise ModelTimeoutError(message) from error
        except LanguageModelError as error:
            # Before `leave` frees the slot: otherwise the next call would start and get the same
            # error before the pause or the end of the run takes effect.
            queue.note_error(error)
            if error.policy is ErrorPolicy.END_RUN:
                self._stop(error)
            raise
        finally:
            queue.leave()

    async def _prepare_retry(self, retry_policy: RetryPolicy, error: LanguageModelError) -> None:
        """Wait until the next try; raise the error if none is left."""
        self._raise_if_ended()
        may_retry = error.policy is not ErrorPolicy.END_CALL
        seconds = retry_policy.seconds_to_wait(error) if may_retry else None
        name = type(error).__name__
        if seconds is None:
            self._failures[name] += 1
            raise error
        self._retries[name] += 1
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        self._raise_if_ended()

    def _keep(
        self, call: Call, digest: str, completion: Completion, *, is_cached: bool = False
    ) -> None:
        """Track the usage of an answer, and store it in journal and cache."""
        self._count(call, completion, is_cached)
        if self._journal is not None and call.key:
            self._journal.put(call.key, to_entry(completion, digest, is_cached=is_cached))
        if self._cache is not None and not is_cached:
            self._cache.put(self._cache_key(call, digest), to_entry(completion, digest))

    def _cache_key(self, call: Call, digest: str) -> str:
        return cache_key(self._queue(call.model).model.address, digest)

    def _count(self, call: Call, completion: Completion, is_cached: bool) -> None:
        self.usage_tracker.record(
            call.agent, call.model, completion.usage, key=call.key, cached=is_cached
        )

    def _queue(self, spec: ModelSpec) -> ModelQueue:
        queue = self._queues.get(spec)
        if queue is None:
            queue = self._queues[spec] = ModelQueue(
                self._build_model(spec, self._context), self.options
            )
        return queue

    def _stop(self, error: LanguageModelError) -> None:
        """Make all current and future calls raise an error."""
        if self._end is None:
            self._end = error
            self._ending.set()
            for queue in self._queues.values():
                queue.limiter.stop(error)

    def _raise_if_ended(self) -> None:
        if self._end is not None:
            # Thousands of callers raise the same exception object; each would append its frames to
            # one growing traceback.
            raise self._end.with_traceback(None)
