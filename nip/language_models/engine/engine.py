"""The engine: all calls of a run, on one event loop.

A call goes through these stations: journal, response cache, turn (concurrency and rate limits),
budget, provider with retries, ledger, journal. Callers ask for as much at once as they like.
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
    """Asks language models, many at once, and loses no answer.

    Use it in an ``async with`` statement, on one event loop. Journal, ledger and cache outlive it.

    Parameters
    ----------
    context : ConnectionContext, optional
        What reaching the models takes.
    options : EngineOptions, optional
        Limits of concurrency, patience and persistence.
    journal : Journal, optional
        Where every answer is stored before it is given, and looked up first; None: nowhere.
    ledger : UsageTracker, optional
        What counts tokens and costs, and holds the budget.
    cache : ResponseCache, optional
        Answers shared with other runs.
    build_model : BuildModel
        Makes the models, each when it is first asked.
    """

    def __init__(
        self,
        context: ConnectionContext | None = None,
        options: EngineOptions | None = None,
        *,
        journal: Journal | None = None,
        ledger: UsageTracker | None = None,
        cache: ResponseCache | None = None,
        build_model: BuildModel = build_chat_model,
    ) -> None:
        self.options = options or EngineOptions()
        self.ledger = ledger or UsageTracker()
        self._context = context or ConnectionContext()
        self._journal = journal
        self._cache = cache
        self._build_model = build_model
        self._queues: dict[ModelSpec, ModelQueue] = {}
        self._under_way: set[asyncio.Task[Completion]] = set()
        self._end: LanguageModelError | None = None
        self._ending = asyncio.Event()
        # Seeded by the system: processes that share a service must not come back together.
        self._jitter = random.Random()
        self._num_answers = self._num_from_journal = self._num_from_cache = 0
        self._retries: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    async def complete(self, call: Call) -> Completion:
        """Answer a call. The answer is in the journal when this returns.

        An answer on its way is not lost when the caller is cancelled: it goes into the journal when
        it comes, for as long as the engine is open.

        Raises
        ------
        LanguageModelError
            If there is no answer and no retry left: the rollout has failed. If the policy of the
            error is ``END_RUN``, this and all other calls raise it, those that wait at once, and
            those under way when their answers are in the journal.
        ResumeError
            If the journal holds the answer to another question under the key of the call.
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
        """What has been done and is being done."""
        return EngineStats(
            num_answers=self._num_answers,
            num_from_journal=self._num_from_journal,
            num_from_cache=self._num_from_cache,
            num_under_way=len(self._under_way),
            num_retries=dict(sorted(self._retries.items())),
            num_failures=dict(sorted(self._failures.items())),
            usage=self.ledger.total.usage,
            cost=self.ledger.cost,
            models={spec: self._queues[spec].stats for spec in sorted(self._queues)},
        )

    async def aclose(self) -> None:
        """Wait a little for answers under way, which are paid for, and close all connections."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self.options.drain_s)
        left = list(self._under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for lane in self._queues.values():
            await lane.model.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def _recall(self, call: Call, digest: str) -> Completion | None:
        """Look for an answer that is there already."""
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
        lane = self._queue(call.model)
        patience = RetryPolicy(self.options, self._jitter)
        num_tries = 0
        while True:
            mark = await lane.enter(call, ahead=num_tries > 0)
            num_tries += 1
            task = self._start(lane, mark, call, digest)
            try:
                # A cancelled caller leaves the request alone, whose answer will have to be paid.
                return await asyncio.shield(task)
            except LanguageModelError as error:
                await self._prepare_retry(patience, error)

    def _start(
        self, lane: ModelQueue, mark: UsageSnapshot, call: Call, digest: str
    ) -> asyncio.Task[Completion]:
        """Send a request in a task of its own, for which a turn was taken."""
        try:
            self._raise_if_ended()
            self.ledger.check(len(self._under_way))
        except BudgetExceededError as error:
            lane.leave()
            self._stop(error)
            raise
        except BaseException:
            lane.leave()
            raise
        task = asyncio.create_task(self._ask(lane, mark, call, digest))
        self._under_way.add(task)
        task.add_done_callback(self._end_task)
        return task

    def _end_task(self, task: asyncio.Task[Completion]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            # Nobody may be left to hear of a failure; looked at here, it is no noise in the log.
            task.exception()

    async def _ask(
        self, lane: ModelQueue, mark: UsageSnapshot, call: Call, digest: str
    ) -> Completion:
        """Ask once. From the answer to its place in the journal nothing can come between."""
        try:
            async with asyncio.timeout(self.options.timeout_s):
                completion = await lane.model.complete(call.messages, call.sampling)
            lane.note_answer(mark, completion)
            self._keep(call, digest, completion)
            return completion
        except TimeoutError as error:
            late = f"{call.model.model_name} gave no answer within {self.options.timeout_s:g} s."
            raise ModelTimeoutError(late) from error
        except LanguageModelError as error:
            # Before the turn is given on, lest another call meets the same error.
            lane.note_error(error)
            if error.policy is ErrorPolicy.END_RUN:
                self._stop(error)
            raise
        finally:
            lane.leave()

    async def _prepare_retry(self, patience: RetryPolicy, error: LanguageModelError) -> None:
        """Wait until it is time to ask again; raise if it never is."""
        self._raise_if_ended()
        may_retry = error.policy is not ErrorPolicy.END_CALL
        seconds = patience.seconds_to_wait(error) if may_retry else None
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
        """Count an answer and store it."""
        self._count(call, completion, is_cached)
        if self._journal is not None and call.key:
            self._journal.put(call.key, to_entry(completion, digest, is_cached=is_cached))
        if self._cache is not None and not is_cached:
            self._cache.put(self._cache_key(call, digest), to_entry(completion, digest))

    def _cache_key(self, call: Call, digest: str) -> str:
        return cache_key(self._queue(call.model).model.address, digest)

    def _count(self, call: Call, completion: Completion, is_cached: bool) -> None:
        self.ledger.record(call.agent, call.model, completion.usage, key=call.key, cached=is_cached)

    def _queue(self, spec: ModelSpec) -> ModelQueue:
        lane = self._queues.get(spec)
        if lane is None:
            lane = self._queues[spec] = ModelQueue(
                self._build_model(spec, self._context), self.options
            )
        return lane

    def _stop(self, error: LanguageModelError) -> None:
        """End the run for all calls."""
        if self._end is None:
            self._end = error
            self._ending.set()
            for lane in self._queues.values():
                lane.limiter.stop(error)

    def _raise_if_ended(self) -> None:
        if self._end is not None:
            # One error is raised by thousands, each of whom would add its part to one traceback.
            raise self._end.with_traceback(None)
