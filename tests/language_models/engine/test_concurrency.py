import asyncio

import pytest

from nip.language_models.engine.concurrency import AdaptiveLimiter
from nip.language_models.errors import QuotaError
from tests.language_models.virtual_time import now, run


async def fill(limiter: AdaptiveLimiter, number: int) -> None:
    for _ in range(number):
        await limiter.acquire()


async def use_for_a_second(limiter: AdaptiveLimiter) -> None:
    await limiter.acquire()
    await asyncio.sleep(1.0)
    limiter.note_answer()
    limiter.release()


def test_no_more_than_the_limit_are_under_way_and_the_first_come_first() -> None:
    async def play() -> list[str]:
        limiter = AdaptiveLimiter(cap=2, initial=2)
        order: list[str] = []

        async def use(name: str) -> None:
            await limiter.acquire()
            order.append(name)
            assert limiter.num_under_way <= 2
            await asyncio.sleep(1.0)
            limiter.release()

        await asyncio.gather(*(use(name) for name in "abcde"))
        assert limiter.num_under_way == limiter.num_waiting == 0
        assert now() == pytest.approx(3.0)
        return order

    assert run(play()) == list("abcde")


def test_one_who_waited_before_goes_ahead() -> None:
    async def play() -> list[str]:
        limiter = AdaptiveLimiter(cap=1, initial=1)
        await limiter.acquire()
        order: list[str] = []

        async def use(name: str, ahead: bool) -> None:
            await limiter.acquire(ahead)
            order.append(name)
            limiter.release()

        tasks = [asyncio.create_task(use("new", False)), asyncio.create_task(use("old", True))]
        await asyncio.sleep(0)
        limiter.release()
        await asyncio.gather(*tasks)
        return order

    assert run(play()) == ["old", "new"]


def test_full_rounds_reach_the_cap_quickly() -> None:
    async def play() -> float:
        limiter = AdaptiveLimiter(cap=64, initial=4)

        number = 4 + 8 + 16 + 32 + 64
        await asyncio.gather(*(use_for_a_second(limiter) for _ in range(number)))
        assert limiter.limit == 64
        return now()

    # 4, 8, 16, 32, 64 at once: five rounds of one second.
    assert run(play()) == pytest.approx(5.0)


def test_an_unused_limit_does_not_grow() -> None:
    async def play() -> int:
        limiter = AdaptiveLimiter(cap=50, initial=8)
        for _ in range(20):
            await limiter.acquire()
            limiter.note_answer()
            limiter.release()
        return limiter.limit

    assert run(play()) == 8


@pytest.mark.parametrize(("num_refused", "limit"), [(0, 100), (20, 90), (100, 50)])
def test_the_limit_shrinks_by_half_the_share_that_was_refused(num_refused: int, limit: int) -> None:
    async def play() -> int:
        limiter = AdaptiveLimiter(cap=100, initial=100)
        await fill(limiter, 100)
        for _ in range(num_refused):
            limiter.note_refusal()
            limiter.release()
        return limiter.limit

    assert run(play()) == limit


def test_the_limit_never_falls_below_one() -> None:
    async def play() -> int:
        limiter = AdaptiveLimiter(cap=4, initial=4)
        for _ in range(50):
            await limiter.acquire()
            limiter.note_refusal()
            limiter.release()
        return limiter.limit

    assert run(play()) == 1


def limits_after(limiter: AdaptiveLimiter, seconds: list[int]) -> list[int]:
    """Return the limit after so many rounds of one second in which all is answered."""

    async def play() -> list[int]:
        users = [asyncio.create_task(use_for_a_second(limiter)) for _ in range(3000)]
        limits = []
        for second in seconds:
            await asyncio.sleep(second + 0.5 - now())
            limits.append(limiter.limit)
        for user in users:
            user.cancel()
        await asyncio.gather(*users, return_exceptions=True)
        return limits

    return run(play())


def test_after_a_refusal_the_limit_grows_by_about_one_each_round() -> None:
    limiter = AdaptiveLimiter(cap=100, initial=10)
    limiter.note_refusal()
    before, after = limits_after(limiter, [0, 5])
    # 9.5 at first; five rounds end by then.
    assert before == 9
    assert 13 <= after <= 15


def test_after_an_outage_the_limit_doubles_up_to_half_of_its_former_value() -> None:
    limiter = AdaptiveLimiter(cap=100, initial=100)
    for _ in range(500):
        limiter.note_refusal()
    assert limiter.limit == 1
    before, doubled, later = limits_after(limiter, [0, 6, 16])
    assert before == 1
    # 2, 4, 8, 16, 32, 50 and a little; then a twentieth each round.
    assert 50 <= doubled <= 54
    assert 75 <= later <= 90


def test_a_pause_holds_everyone_and_the_longest_counts() -> None:
    async def play() -> list[float]:
        limiter = AdaptiveLimiter(cap=3, initial=3)
        limiter.pause(5.0)
        limiter.pause(2.0)

        async def use() -> float:
            await limiter.acquire()
            return now()

        return await asyncio.gather(*(use() for _ in range(3)))

    assert run(play()) == [pytest.approx(5.0)] * 3


def test_a_cancelled_waiter_costs_no_place() -> None:
    async def play() -> None:
        limiter = AdaptiveLimiter(cap=1, initial=1)
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        lucky = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert limiter.num_waiting == 1
        limiter.release()
        await lucky
        assert (limiter.num_under_way, limiter.num_waiting) == (1, 0)

    run(play())


def test_a_waiter_cancelled_in_the_moment_of_its_turn_gives_the_place_on() -> None:
    async def play() -> None:
        limiter = AdaptiveLimiter(cap=1, initial=1)
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        lucky = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        limiter.release()
        waiting.cancel()
        await asyncio.wait_for(lucky, timeout=1.0)
        assert (limiter.num_under_way, limiter.num_waiting) == (1, 0)

    run(play())


def test_a_stop_raises_in_all_who_wait() -> None:
    async def play() -> None:
        limiter = AdaptiveLimiter(cap=1, initial=1)
        await limiter.acquire()
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        error = QuotaError("nothing left")
        limiter.stop(error)
        assert await asyncio.gather(*waiting, return_exceptions=True) == [error] * 3
        assert (limiter.num_under_way, limiter.num_waiting) == (1, 0)

    run(play())
