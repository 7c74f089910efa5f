"""Helpers for asyncio: nested event loops, bounded concurrency, exception groups."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from nip.errors import NipError

T = TypeVar("T")


def call_without_event_loop(function: Callable[[], T]) -> T:
    """Call a function that starts event loops of its own.

    If a loop is already running in this thread, as in a notebook, the function is called in another
    thread, because a second loop cannot run in the same one.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return function()
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(function).result()


async def run_all(
    items: Iterable[T], work: Callable[[T], Awaitable[None]], max_concurrency: int
) -> None:
    """Process all items, ``max_concurrency`` at a time; the first error cancels the others.

    Items are consumed one by one as capacity allows, so that they need not all be in memory.
    """
    asyncio.get_running_loop().set_exception_handler(report_no_interrupts)
    capacity = asyncio.Semaphore(max_concurrency)

    async def work_and_release(item: T) -> None:
        try:
            await work(item)
        finally:
            capacity.release()

    try:
        async with asyncio.TaskGroup() as tasks:
            for item in items:
                await capacity.acquire()
                tasks.create_task(work_and_release(item))
    except BaseExceptionGroup as group:
        error = first_error(group)
        # For a user's error the message is enough; for others the context helps.
        if isinstance(error, NipError):
            raise error from None
        raise error from group


def first_error(group: BaseExceptionGroup) -> BaseException:
    """Return the first exception of a possibly nested exception group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def report_no_interrupts(loop: asyncio.AbstractEventLoop, report: dict[str, Any]) -> None:
    """Exception handler of an event loop that ignores ``KeyboardInterrupt``.

    A task interrupted by Ctrl-C has already propagated the exception. asyncio would report it again
    when the task is garbage-collected.
    """
    if not isinstance(report.get("exception"), KeyboardInterrupt):
        loop.default_exception_handler(report)
