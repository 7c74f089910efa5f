import asyncio
import gc
import json
import traceback
from pathlib import Path

import pytest

from nip.errors import NipWarning, ResumeError
from nip.language_models.chat import Completion, ModelSpec, RateLimitState, TokenUsage
from nip.language_models.costs.prices import Price, Prices
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.engine.cache import ResponseCache
from nip.language_models.engine.engine import Engine
from nip.language_models.engine.journal import Entry, MemoryJournal
from nip.language_models.engine.options import EngineOptions
from nip.language_models.errors import (
    AuthenticationError,
    BadRequestError,
    BudgetExceededError,
    ContentFilterError,
    LanguageModelError,
    MalformedAnswerError,
    ModelConnectionError,
    ModelTimeoutError,
    OverloadError,
    QuotaError,
    RateLimitError,
    ServiceUnavailableError,
    UnknownApiError,
    UnknownModelError,
)
from tests.language_models.models import FakeModel, FunctionModel, answer, call, engine_for
from tests.language_models.virtual_time import now, run


async def complete_all(engine: Engine, number: int) -> list[Completion | BaseException]:
    """Ask many different questions at once; return answers and errors."""
    async with engine:
        return await asyncio.gather(
            *(engine.complete(call(f"question {i}", key=f"key/{i}")) for i in range(number)),
            return_exceptions=True,
        )


def test_an_answer_is_given_counted_and_journalled() -> None:
    model, journal = FakeModel(answer("fine", 30, 40)), MemoryJournal()
    engine = engine_for(model, journal=journal)

    async def play() -> Completion:
        async with engine:
            return await engine.complete(call(key="train/0/1"))

    assert run(play()) == answer("fine", 30, 40)
    assert journal.entries["train/0/1"]["text"] == "fine"
    assert engine.usage_tracker.total.usage == engine.stats.usage == TokenUsage(30, 40)
    assert engine.stats.num_answers == 1
    assert model.is_closed


def test_a_journalled_call_is_not_repeated_and_counted_once() -> None:
    journal = MemoryJournal()
    first = engine_for(FakeModel(), journal=journal)
    answers = run(complete_all(first, 3))
    model = FakeModel()
    second = engine_for(model, journal=journal)
    assert run(complete_all(second, 4)) == [*answers, answer("answer to question 3")]
    assert model.asked == ["question 3"]
    assert second.stats.num_from_journal == 3
    assert second.usage_tracker.total.num_calls == 4


class CountingJournal(MemoryJournal):
    num_lookups = 0

    def get(self, key: str) -> Entry | None:
        self.num_lookups += 1
        return super().get(key)


async def ask_in_dialogues(journal: CountingJournal, *keys_and_dialogues: tuple[str, str]):
    """Ask calls of dialogues that were counted before; return the requests and the lookups."""
    model, num_before = FakeModel(), journal.num_lookups
    async with engine_for(model, journal=journal) as engine:
        for dialogue in ("d/0", "d/1"):
            engine.recount(dialogue)
        for key, dialogue in keys_and_dialogues:
            await engine.complete(call(key, key=key, dialogue=dialogue))
    return model.asked, journal.num_lookups - num_before


def test_only_calls_of_dialogues_that_are_not_new_are_looked_up() -> None:
    journal = CountingJournal()
    first, second, third = ("d/0/0", "d/0"), ("d/0/1", "d/0"), ("d/1/0", "d/1")
    assert run(ask_in_dialogues(journal, first, second)) == (["d/0/0", "d/0/1"], 0)
    asked, num_lookups = run(ask_in_dialogues(journal, first, third))
    assert asked == ["d/1/0"] and num_lookups > 0


def test_an_answer_of_a_new_dialogue_is_not_asked_for_twice() -> None:
    once = ("d/0/0", "d/0")
    assert run(ask_in_dialogues(CountingJournal(), once, once))[0] == ["d/0/0"]


def test_the_name_of_a_dialogue_does_not_hide_an_answer() -> None:
    journal = CountingJournal()
    run(ask_in_dialogues(journal, ("d/0/0", "d/0")))
    assert run(ask_in_dialogues(journal, ("d/0/0", "d/1")))[0] == []


def test_a_journal_that_answers_another_question_is_refused() -> None:
    journal = MemoryJournal()

    async def play() -> None:
        async with engine_for(FakeModel(), journal=journal) as engine:
            await engine.complete(call("one", key="k"))
            await engine.complete(call("other", key="k"))

    with pytest.raises(ResumeError, match="a different request"):
        run(play())


def test_calls_without_a_key_stay_out_of_the_journal() -> None:
    model, journal = FakeModel(), MemoryJournal()

    async def play() -> None:
        async with engine_for(model, journal=journal) as engine:
            for _ in range(2):
                await engine.complete(call())

    run(play())
    assert journal.entries == {} and len(model.asked) == 2


def test_the_cache_saves_calls_and_distinguishes_samples(tmp_path: Path) -> None:
    model, journal = FakeModel(), MemoryJournal()
    with ResponseCache(tmp_path / "cache.db") as cache:

        async def play() -> Engine:
            async with engine_for(model, journal=journal, cache=cache) as engine:
                for key, index in (("a", 0), ("b", 0), ("c", 1)):
                    await engine.complete(call("same", key=key, sample_index=index))
            return engine

        engine = run(play())
        assert len(model.asked) == 2
        assert engine.stats.num_from_cache == 1
        account = engine.usage_tracker.total
        assert (account.num_calls, account.num_cached_calls) == (2, 1)
        assert sorted(journal.entries) == ["a", "b", "c"]
        # What the cache gave is not counted as paid by the process that finds it in the journal.
        again = run(play())
        assert again.stats.num_from_journal == 3
        assert again.usage_tracker.total == account


@pytest.mark.parametrize(
    ("error", "option"),
    [
        (ModelTimeoutError("late"), "num_timeouts"),
        (ModelConnectionError("cut"), "num_connection_errors"),
        (OverloadError("busy"), "num_overloads"),
        (MalformedAnswerError("odd"), "num_malformed_answers"),
        (UnknownApiError("what"), "num_unknown_errors"),
        (RateLimitError("slow down"), "num_rate_limits"),
    ],
)
def test_a_call_is_tried_again_as_often_as_allowed(error: LanguageModelError, option: str) -> None:
    options = EngineOptions(**{option: 2})  # type: ignore[arg-type]
    enough = FakeModel(error, error, answer("at last"))
    engine = engine_for(enough, options)
    assert run(complete_all(engine, 1)) == [answer("at last")]
    assert engine.stats.num_retries == {type(error).__name__: 2}

    too_much = FakeModel(error, error, error, answer("never"))
    engine = engine_for(too_much, options)
    assert run(complete_all(engine, 1)) == [error]
    assert engine.stats.num_failures == {type(error).__name__: 1}
    assert len(too_much.asked) == 3


@pytest.mark.parametrize("error", [ContentFilterError("no"), BadRequestError("too long")])
def test_some_errors_end_one_call_and_no_other(error: LanguageModelError) -> None:
    model = FakeModel(error, answer("fine"))
    found = run(complete_all(engine_for(model), 2))
    assert found == [error, answer("fine")]


def test_backoff_grows_from_one_try_to_the_next() -> None:
    model = FakeModel(*[ModelConnectionError("cut")] * 4)
    options = EngineOptions(first_backoff_s=1.0)
    run(complete_all(engine_for(model, options), 1))
    waits = [b - a for a, b in zip(model.times, model.times[1:], strict=False)]
    for seconds, longest in zip(waits, [1, 2, 4, 8], strict=True):
        assert longest / 2 <= seconds <= longest + 1e-9


def test_retry_after_holds_the_whole_model_back() -> None:
    model = FakeModel(RateLimitError("slow down", retry_after=30.0), latency=1.0)
    options = EngineOptions(max_concurrency=2, first_backoff_s=0.0)
    found = run(complete_all(engine_for(model, options), 6))
    assert all(isinstance(item, Completion) for item in found)
    # Two at once at 0 s; the refusal comes after one second, and then nobody asks for 30.
    assert model.times[:2] == [0.0, 0.0]
    assert min(model.times[2:]) == pytest.approx(31.0)


def test_another_model_is_not_held_back() -> None:
    limited = FakeModel(RateLimitError("slow down", retry_after=30.0))
    free = FakeModel()
    other = ModelSpec("scripted", "other")
    engine = Engine(build_model=lambda spec, context: free if spec == other else limited)

    async def play() -> float:
        async with engine:
            held = asyncio.create_task(engine.complete(call()))
            await asyncio.sleep(1.0)
            await engine.complete(call(model=other))
            elapsed = now()
            await held
            return elapsed

    assert run(play()) == pytest.approx(1.0)
    assert sorted(engine.stats.models) == sorted([call().model, other])


def test_rate_limits_in_headers_are_kept_to_before_anything_is_refused() -> None:
    limits = RateLimitState(remaining_requests=0, limit_requests=60)
    model = FakeModel(answer(rate_limits=limits))

    async def play() -> None:
        async with engine_for(model) as engine:
            await engine.complete(call())
            await asyncio.gather(*(engine.complete(call()) for _ in range(5)))

    run(play())
    # 60 a minute: one each second.
    assert model.times == [0.0, *(pytest.approx(float(i)) for i in range(1, 6))]


def test_a_call_that_times_out_is_retried() -> None:
    async def sleepy_once(text: str) -> Completion:
        if len(model.asked) == 1:
            await asyncio.sleep(1000.0)
        return answer("awake")

    model = FunctionModel(sleepy_once)
    options = EngineOptions(timeout_s=10.0, first_backoff_s=0.0)
    engine = engine_for(model, options)
    assert run(complete_all(engine, 1)) == [answer("awake")]
    assert engine.stats.num_retries == {"ModelTimeoutError": 1}
    none_left = engine_for(FakeModel(latency=20.0), EngineOptions(timeout_s=10.0, num_timeouts=0))
    (error,) = run(complete_all(none_left, 1))
    assert isinstance(error, ModelTimeoutError) and "within 10 s" in str(error)


@pytest.mark.filterwarnings("ignore:a-model. the run waits for 17 min")
@pytest.mark.parametrize(
    "error", [AuthenticationError("key"), QuotaError("empty"), UnknownModelError("gone")]
)
def test_an_error_that_ends_the_run_stops_all_waiting_calls(error: LanguageModelError) -> None:
    async def fail_third(text: str) -> Completion:
        if text == "question 2":
            await asyncio.sleep(1.0)
            raise error
        if text == "question 1":
            raise OverloadError("busy", retry_after=1000.0)
        if text == "question 3":
            raise ModelConnectionError("cut")
        await asyncio.sleep(5.0)
        return answer("late")

    model, journal = FunctionModel(fail_third), MemoryJournal()
    options = EngineOptions(max_concurrency=4, first_backoff_s=1000.0, max_backoff_s=1000.0)

    async def play() -> list[float]:
        times: list[float] = []

        async def ask(number: int) -> None:
            with pytest.raises(type(error)) as caught:
                await engine.complete(call(f"question {number}", key=f"key/{number}"))
            assert caught.value is error
            times.append(now())

        async with engine_for(model, options, journal=journal) as engine:
            await asyncio.gather(*(ask(number) for number in range(20)))
            await ask(20)
        return times

    times = run(play())
    # All but the one that was under way, whose answer is kept though it no longer counts.
    assert times[:19] == [pytest.approx(1.0)] * 19
    assert times[19:] == [pytest.approx(5.0)] * 2
    assert list(journal.entries) == ["key/0"]
    assert len(model.asked) == 4


def test_no_call_follows_one_that_ended_the_run() -> None:
    model = FakeModel(AuthenticationError("wrong key"), latency=1.0)
    found = run(complete_all(engine_for(model, EngineOptions(max_concurrency=1)), 5))
    assert model.asked == ["question 0"]
    assert all(item is found[0] for item in found)


def test_an_error_that_many_raise_keeps_a_short_traceback() -> None:
    error = AuthenticationError("wrong key")
    run(complete_all(engine_for(FakeModel(error, latency=1.0)), 3000))
    assert len(traceback.extract_tb(error.__traceback__)) < 20


def test_the_budget_ends_the_run_before_it_is_overdrawn() -> None:
    prices = Prices({"a-model": Price(1.0, 0.0)})
    tracker = UsageTracker(prices, max_cost=10.0)
    model = FakeModel(*[answer(prompt_tokens=1_000_000)] * 50, latency=1.0)
    engine = engine_for(model, EngineOptions(max_concurrency=3), usage_tracker=tracker)
    found = run(complete_all(engine, 50))
    errors = [item for item in found if isinstance(item, BaseException)]
    assert isinstance(errors[0], BudgetExceededError)
    assert all(error is errors[0] for error in errors)
    assert 7.0 <= tracker.cost <= 10.0
    assert len(model.asked) == round(tracker.cost)


def test_a_cancelled_caller_loses_no_answer_that_is_on_its_way() -> None:
    journal = MemoryJournal()

    async def play() -> None:
        async with engine_for(FakeModel(latency=2.0), journal=journal) as engine:
            asking = [
                asyncio.create_task(engine.complete(call(f"question {i}", key=f"key/{i}")))
                for i in range(3)
            ]
            await asyncio.sleep(1.0)
            for task in asking:
                task.cancel()
            assert all(await asyncio.gather(*asking, return_exceptions=True))
            assert now() == pytest.approx(1.0)
        assert now() == pytest.approx(2.0)
        assert engine.usage_tracker.total.num_calls == 3

    run(play())
    assert sorted(journal.entries) == ["key/0", "key/1", "key/2"]


def test_closing_waits_only_so_long() -> None:
    model = FakeModel(latency=1000.0)

    async def play() -> float:
        async with engine_for(model, EngineOptions(drain_s=3.0)) as engine:
            asking = asyncio.create_task(engine.complete(call()))
            await asyncio.sleep(1.0)
            asking.cancel()
        return now()

    assert run(play()) == pytest.approx(4.0)
    assert model.num_now == 0 and model.is_closed


def test_a_cancelled_task_in_a_provider_is_an_error_of_the_call_and_tried_again() -> None:
    logins: list[asyncio.Future[None]] = []
    journal = MemoryJournal()

    async def serve(text: str) -> Completion:
        if not logins:
            logins.append(asyncio.ensure_future(asyncio.sleep(60.0)))
            asyncio.get_running_loop().call_later(0.2, logins[0].cancel)
        if not logins[0].done():
            await logins[0]
        return answer("fine")

    engine = engine_for(FunctionModel(serve), journal=journal)
    assert run(complete_all(engine, 3)) == [answer("fine")] * 3
    assert engine.stats.num_retries == {"UnknownApiError": 3}
    # Whether these requests were charged is not known.
    assert [key for key in sorted(journal.entries) if "failed" in key] == [
        f"key/{i}/failed/0" for i in range(3)
    ]


def test_a_provider_that_is_cancelled_each_time_fails_the_call() -> None:
    async def serve(text: str) -> Completion:
        raise asyncio.CancelledError

    found = run(complete_all(engine_for(FunctionModel(serve)), 2))
    assert {type(each) for each in found} == {UnknownApiError}
    assert "the provider 'scripted' raised CancelledError" in str(found[0])


def test_a_call_cancelled_in_the_queue_sends_no_request() -> None:
    model = FakeModel(latency=2.0)

    async def play() -> None:
        async with engine_for(model, EngineOptions(max_concurrency=1)) as engine:
            first = asyncio.create_task(engine.complete(call("first")))
            second = asyncio.create_task(engine.complete(call("second")))
            await asyncio.sleep(1.0)
            second.cancel()
            await asyncio.gather(first, second, return_exceptions=True)
            assert engine.stats.models[call().model].num_waiting == 0

    run(play())
    assert model.asked == ["first"]


def test_an_answer_at_the_moment_of_cancellation_is_stored() -> None:
    journal = MemoryJournal()

    async def play() -> None:
        arrival: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()

        async def wait(text: str) -> Completion:
            return await arrival

        async with engine_for(FunctionModel(wait), journal=journal) as engine:
            asking = asyncio.create_task(engine.complete(call(key="k")))
            await asyncio.sleep(1.0)
            arrival.set_result(answer("just in time"))
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    run(play())
    assert journal.entries["k"]["text"] == "just in time"


def test_a_bug_in_a_model_is_not_taken_for_a_failed_rollout() -> None:
    model = FakeModel(ZeroDivisionError("ours"), answer("fine"))
    engine = engine_for(model, EngineOptions(max_concurrency=1))
    found = run(complete_all(engine, 2))
    assert isinstance(found[0], ZeroDivisionError)
    assert found[1] == answer("fine")
    assert engine.stats.num_under_way == 0


def test_an_answer_that_has_arrived_is_not_counted_as_under_way() -> None:
    async def ask() -> int:
        async with engine_for(FakeModel(answer("fine"))) as engine:
            await engine.complete(call())
            return engine.stats.num_under_way

    assert run(ask()) == 0


def test_the_order_of_answers_does_not_depend_on_concurrency() -> None:
    def play(concurrency: int) -> list[Completion | BaseException]:
        errors = [ModelConnectionError("cut"), OverloadError("busy")]
        model = FakeModel(*errors, latency=1.0)
        return run(complete_all(engine_for(model, EngineOptions(concurrency)), 30))

    assert play(1) == play(7) == play(100)


@pytest.mark.parametrize("concurrency", [8, 32, 100, 200])
def test_rollouts_end_close_to_the_earliest_possible_time(concurrency: int) -> None:
    num_rollouts, num_rounds, latency = 200, 9, 1.0

    async def play() -> float:
        options = EngineOptions(max_concurrency=concurrency)
        async with engine_for(FakeModel(latency=latency), options) as engine:

            async def rollout(number: int) -> None:
                for round in range(num_rounds):
                    await engine.complete(call(key=f"train/0/{number}/{round}"))

            await asyncio.gather(*(rollout(number) for number in range(num_rollouts)))
        return now()

    total = num_rollouts * num_rounds * latency
    assert run(play()) <= 1.03 * max(num_rounds * latency, total / concurrency)


def test_concurrency_settles_at_what_a_service_bears() -> None:
    capacity, number = 20, 1000

    async def serve(text: str) -> Completion:
        if model.num_now >= capacity:
            num_refused.append(text)
            raise OverloadError("busy")
        model.num_now += 1
        try:
            await asyncio.sleep(1.0)
        finally:
            model.num_now -= 1
        return answer()

    model, num_refused = FunctionModel(serve), list[str]()

    async def play() -> float:
        found = await complete_all(engine_for(model), number)
        assert all(isinstance(item, Completion) for item in found)
        return now()

    # 50 s if every place were always taken.
    assert run(play()) <= 1.6 * number / capacity
    assert len(num_refused) <= 0.4 * number


def test_many_calls_leave_nothing_behind() -> None:
    engine = engine_for(FakeModel(), EngineOptions(max_concurrency=50))
    run(complete_all(engine, 2_000))
    gc.collect()
    assert engine.stats.num_under_way == 0
    assert not engine._under_way and not engine._queues[call().model].limiter._waiters
    json.dumps(engine.stats.num_retries)


def test_calls_that_wait_for_the_rate_limit_keep_their_order() -> None:
    limits = RateLimitState(remaining_requests=0, limit_requests=60)
    model = FakeModel(answer(rate_limits=limits))

    async def play() -> list[float]:
        async with engine_for(model, EngineOptions(max_concurrency=10)) as engine:
            await engine.complete(call("0"))

            async def ask(number: int) -> None:
                await asyncio.sleep(0.37 * number)
                await engine.complete(call(str(number)))

            await asyncio.gather(*(ask(number) for number in range(1, 25)))
        return model.times

    times = run(play())
    assert model.asked == [str(number) for number in range(25)]
    # One a second, although more than two arrive in that time.
    assert times[1:] == pytest.approx(range(1, 25))


@pytest.mark.parametrize(
    "error", [AuthenticationError("a proxy says 401"), UnknownModelError("a proxy says 404")]
)
def test_one_refusal_amid_successes_is_not_the_end(error: LanguageModelError) -> None:
    model = FakeModel(answer("first"), error, answer("third"), answer("again"))
    engine = engine_for(model, EngineOptions(max_concurrency=1))
    found = run(complete_all(engine, 3))
    assert all(isinstance(each, Completion) for each in found)
    assert engine.stats.num_retries == {"TemporaryRefusalError": 1}


def test_three_refused_calls_in_a_row_are_the_end_although_others_were_answered() -> None:
    error = AuthenticationError("the key was revoked")
    model = FakeModel(answer("first"), *[error] * 20)
    found = run(complete_all(engine_for(model, EngineOptions(max_concurrency=1)), 20))
    assert found[0] == answer("first")
    assert all(each is error for each in found[1:])
    # The first three of the others were asked, each of them once.
    assert model.asked == [f"question {number}" for number in range(4)]


@pytest.mark.parametrize("may_concern_content", [True, False])
def test_a_call_that_is_refused_each_time_ends_alone_if_its_content_may_be_the_reason(
    may_concern_content: bool,
) -> None:
    error = AuthenticationError("no")
    error.may_concern_content = may_concern_content

    async def refuse_one(text: str) -> Completion:
        await asyncio.sleep(0.1)
        if text == "question 3":
            raise error
        return answer("fine")

    engine = engine_for(FunctionModel(refuse_one), EngineOptions(max_concurrency=2))
    found = run(complete_all(engine, 100))
    failed = {str(each) for each in found if isinstance(each, BaseException)}
    if may_concern_content:
        assert sum(isinstance(each, Completion) for each in found) == 99
        assert failed == {"no Other calls to this model were answered, so this one is tried again."}
    else:
        assert found[3] is error and failed == {"no"}


def unreachable(text: str = "nobody listens") -> ModelConnectionError:
    error = ModelConnectionError(text)
    error.is_unreachable = True
    return error


def outage(start: float, end: float) -> FunctionModel:
    """Return a model whose service is unreachable for a while, and answers in a second."""

    async def serve(text: str) -> Completion:
        if start <= now() < end:
            raise unreachable()
        await asyncio.sleep(1.0)
        return answer("fine")

    return FunctionModel(serve)


@pytest.mark.parametrize("length", [60.0, 1800.0])
def test_an_outage_pauses_the_model_says_so_and_fails_nothing(length: float) -> None:
    model = outage(5.5, 5.5 + length)
    engine = engine_for(model, EngineOptions(max_concurrency=10, num_connection_errors=2))
    with pytest.warns(NipWarning) as warned:
        found = run(complete_all(engine, 100))
    assert found == [answer("fine")] * 100
    texts = [str(each.message) for each in warned]
    assert len(texts) == 2
    assert "a-model is unreachable. All of its calls are paused" in texts[0]
    assert "nobody listens" in texts[0] and "a-model is reachable again" in texts[1]
    # Ten calls met the outage; then one at a time tried, at intervals that grow to a minute.
    assert len(model.asked) - 100 < 10 + 8 + length / 60 * 1.5


def test_an_outage_of_hours_stops_the_run() -> None:
    engine = engine_for(outage(5.5, 1e9), EngineOptions(max_concurrency=10, max_wait_s=3600.0))

    async def work() -> float:
        found = await complete_all(engine, 100)
        assert {type(each) for each in found} == {Completion, ServiceUnavailableError}
        return now()

    with pytest.warns(NipWarning, match="unreachable"):
        assert 3600.0 < run(work()) < 3800.0


def test_a_service_that_was_never_reached_stops_the_run_after_the_retries() -> None:
    model = outage(0.0, 1e9)
    engine = engine_for(model, EngineOptions(max_concurrency=5, num_connection_errors=3))
    with pytest.warns(NipWarning, match="Another try will take about 1 s"):
        found = run(complete_all(engine, 100))
    assert {type(each) for each in found} == {ServiceUnavailableError}
    assert "4 tries in a row failed" in str(found[0])
    assert len(model.asked) == 5 + 3


def test_a_service_that_was_never_reached_is_announced_with_the_tries_left() -> None:
    model = FakeModel(*[unreachable()] * 11, address="http://127.0.0.1:1/v1")
    with pytest.warns(NipWarning) as warned:
        found = run(complete_all(engine_for(model, EngineOptions(max_concurrency=1)), 1))
    assert {type(each) for each in found} == {ServiceUnavailableError}
    (message,) = [str(each.message) for each in warned]
    # 183 s: 1 + 2 + 4 + 8 + 16 + 32 + 60 + 60.
    assert message == (
        "a-model at http://127.0.0.1:1/v1 has not been reached yet: 3 tries in a row failed. "
        "Another 8 tries will take about 3 min; Ctrl-C stops. nobody listens."
    )


def test_a_service_that_starts_late_is_announced_and_used() -> None:
    notes: list[object] = []
    model = outage(0.0, 10.0)
    engine = engine_for(model, note_wait=lambda name, wait: notes.append(wait))
    with pytest.warns(NipWarning) as warned:
        assert run(complete_all(engine, 1)) == [answer("fine")]
    assert [str(each.message).partition(":")[0] for each in warned] == [
        "a-model has not been reached yet",
        "a-model is reachable again, after 17 s.",
    ]
    assert len(notes) == 2 and notes[1] is None


def test_a_wait_of_more_than_half_a_minute_is_announced_once_with_reason_and_end() -> None:
    slow = RateLimitError("too many requests", retry_after=31.0)
    model = FakeModel(*[slow] * 5, latency=1.0)
    with pytest.warns(NipWarning) as warned:
        run(complete_all(engine_for(model), 20))
    (message,) = [str(each.message) for each in warned]
    assert message.startswith("a-model: the run waits for 31 s, until 20")
    assert message.endswith(": too many requests.")


def test_a_wait_of_hours_stops_the_run() -> None:
    model = FakeModel(RateLimitError("limit per day", retry_after=7200.0), latency=1.0)
    found = run(complete_all(engine_for(model, EngineOptions(max_concurrency=1)), 5))
    assert {type(each) for each in found} == {ServiceUnavailableError}
    assert "a wait of 2.0 h, until 20" in str(found[0]) and "limit per day" in str(found[0])
    assert model.asked == ["question 0"]


def test_an_answer_without_token_counts_is_estimated_and_it_is_said() -> None:
    silent = Completion("x" * 40, "stop", TokenUsage(), "a-model", is_usage_known=False)
    tracker = UsageTracker(Prices({"a-model": Price(1.0, 1.0)}))
    journal = MemoryJournal()
    engine = engine_for(FakeModel(silent), usage_tracker=tracker, journal=journal)

    async def play() -> Completion:
        async with engine:
            return await engine.complete(call("y" * 80, key="k"))

    with pytest.warns(NipWarning, match="a-model reported no valid token counts"):
        found = run(play())
    # Four characters for each token.
    assert found.usage == TokenUsage(20, 10)
    assert tracker.total.num_estimated_calls == 1
    again = engine_for(FakeModel(), usage_tracker=UsageTracker(), journal=journal)

    async def recall() -> Completion:
        async with again:
            return await again.complete(call("y" * 80, key="k"))

    assert run(recall()).usage == TokenUsage(20, 10)
    assert again.usage_tracker.total == tracker.total
