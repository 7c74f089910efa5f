"""A model queue starts calls within its limits, and learns these from answers and errors."""

import asyncio

import pytest

from nip.language_models.chat import RateLimitState, Sampling
from nip.language_models.engine.model_queue import ModelQueue
from nip.language_models.engine.options import EngineOptions
from nip.language_models.errors import ModelTimeoutError, OverloadError, RateLimitError
from tests.language_models.models import FakeModel, answer, call
from tests.language_models.virtual_time import now, run


def queue(**options) -> ModelQueue:
    return ModelQueue(FakeModel(), EngineOptions(**options))


def test_at_most_the_maximum_of_calls_run_at_once() -> None:
    async def work():
        model_queue = queue(max_concurrency=2)
        waiting = [
            asyncio.create_task(model_queue.enter(call(str(n)), ahead=False)) for n in range(3)
        ]
        await asyncio.sleep(0)
        before = model_queue.stats
        model_queue.leave()
        await asyncio.gather(*waiting)
        return before, model_queue.stats

    before, after = run(work())
    assert (before.num_under_way, before.num_waiting, before.limit) == (2, 1, 2)
    assert (after.num_under_way, after.num_waiting) == (2, 0)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (RateLimitError("slow down", retry_after=7.0), 7.0),
        # Without a time from the service, the first backoff applies.
        (RateLimitError("slow down"), 0.25),
        (OverloadError("busy", retry_after=3.0), 3.0),
        (OverloadError("busy"), 0.0),
        (ModelTimeoutError("late"), 0.0),
    ],
)
def test_errors_pause_all_calls_of_the_model(error, seconds: float) -> None:
    async def work() -> float:
        model_queue = queue()
        await model_queue.enter(call(), ahead=False)
        model_queue.note_error(error, call(), now())
        model_queue.leave()
        await model_queue.enter(call(), ahead=False)
        return now()

    assert run(work()) == pytest.approx(seconds)


def test_saturation_lowers_the_limit_and_other_errors_do_not() -> None:
    async def work(error) -> int:
        model_queue = queue(max_concurrency=4)
        await model_queue.enter(call(), ahead=False)
        model_queue.note_error(error, call(), now())
        model_queue.note_error(error, call(), now())
        return model_queue.stats.limit

    assert run(work(OverloadError("busy"))) == 3
    assert run(work(ModelTimeoutError("late"))) == 4


def test_a_reported_token_limit_delays_calls_by_their_estimated_tokens() -> None:
    async def work() -> float:
        model_queue = queue()
        snapshot = await model_queue.enter(call(), ahead=False)
        # 6000 tokens per minute are 100 per second, and none are left.
        limits = RateLimitState(remaining_tokens=0, limit_tokens=6000)
        model_queue.note_answer(snapshot, answer(rate_limits=limits))
        model_queue.leave()
        # 400 characters are estimated as 100 tokens, and at most 200 are generated.
        await model_queue.enter(call("x" * 400, sampling=Sampling(max_tokens=200)), ahead=False)
        return now()

    assert run(work()) == pytest.approx(3.0)
