"""Working on many things at once, a limited number of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from nip.errors import NipError
from nip.utils.event_loop import first_error

T = TypeVar("T")


async def run_all(things: Iterable[T], work: Callable[[T], Awaitable[None]], max_live: int) -> None:
    """Work on all things; the first error stops the others.

    Parameters
    ----------
    things : Iterable[T]
        Taken one by one as there is room, so that they need not all be in memory.
    work : Callable[[T], Awaitable[None]]
        Works on one.
    max_live : int
        Things that may be under way at once.
    """
    places = asyncio.Semaphore(max_live)

    async def work_and_leave(thing: T) -> None:
        try:
            await work(thing)
        finally:
            places.release()

    try:
        async with asyncio.TaskGroup() as tasks:
            for thing in things:
                await places.acquire()
                tasks.create_task(work_and_leave(thing))
    except BaseExceptionGroup as group:
        error = first_error(group)
        # A user's error is shown as it is; of any other, the whole story helps.
        if isinstance(error, NipError):
            raise error from None
        raise error from group
