import asyncio

import pytest

from nip.language_models.concurrency import AdaptiveLimiter
from nip.language_models.errors import QuotaError
from tests.language_models.virtual_time import now, run


async def fill(limiter: AdaptiveLimiter, number: int) -> list[int]:
    return [await limiter.acquire() for _ in range(number)]


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

        async def use() -> None:
            ticket = await limiter.acquire()
            await asyncio.sleep(1.0)
            limiter.note_success(ticket)
            limiter.release()

        await asyncio.gather(*(use() for _ in range(4 + 8 + 16 + 32 + 64)))
        assert limiter.limit == 64
        return now()

    # 4, 8, 16, 32, 64 at once: five rounds of one second.
    assert run(play()) == pytest.approx(5.0)


def test_an_unused_limit_does_not_grow() -> None:
    async def play() -> int:
        limiter = AdaptiveLimiter(cap=50, initial=8)
        for _ in range(20):
            limiter.note_success(await limiter.acquire())
            limiter.release()
        return limiter.limit

    assert run(play()) == 8


def test_one_congestion_shrinks_the_limit_once() -> None:
    async def play() -> None:
        limiter = AdaptiveLimiter(cap=100, initial=100)
        tickets = await fill(limiter, 100)
        for ticket in tickets:
            limiter.note_saturation(ticket)
        assert limiter.limit == 70
        for _ in tickets:
            limiter.release()
        limiter.note_saturation((await fill(limiter, 70))[-1])
        assert limiter.limit == 49

    run(play())


def test_after_a_congestion_the_limit_grows_by_about_one_each_round() -> None:
    async def play() -> list[int]:
        limiter = AdaptiveLimiter(cap=100, initial=20)
        limiter.note_saturation((await fill(limiter, 20))[0])
        for _ in range(20):
            limiter.release()

        async def use() -> None:
            ticket = await limiter.acquire()
            await asyncio.sleep(1.0)
            limiter.note_success(ticket)
            limiter.release()

        users = [asyncio.create_task(use()) for _ in range(150)]
        limits = []
        for second in (0, 4):
            await asyncio.sleep(second + 0.5)
            limits.append(limiter.limit)
        await asyncio.gather(*users)
        return limits

    # 0.7 * 20 at first; one more after each of the four rounds that end by then, or just not yet.
    before, after = run(play())
    assert before == 14
    assert 17 <= after <= 18


def test_the_limit_never_falls_below_one() -> None:
    async def play() -> int:
        limiter = AdaptiveLimiter(cap=4, initial=1)
        for _ in range(5):
            limiter.note_saturation(await limiter.acquire())
            limiter.release()
        return limiter.limit

    assert run(play()) == 1


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
