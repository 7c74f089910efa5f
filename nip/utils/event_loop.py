"""Helpers for asyncio: nested event loops, signals, bounded concurrency, exception groups."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

from nip.errors import NipError
from nip.utils import stop_signals

T = TypeVar("T")

_LATE_S = 1.0
"""A timer that fires later than this was held up: something has blocked the event loop."""


def call_without_event_loop(function: Callable[[], T]) -> T:
    """Call a function that starts event loops of its own.

    If a loop is already running in this thread, as in a notebook, the function is called in another
    thread, because a second loop cannot run in the same one.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        is_running = False
    else:
        is_running = True
    # Called here, where an error of the function has not the one above as its context.
    if not is_running:
        return function()
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(function).result()


class StoppableRunner:
    """An ``asyncio.Runner`` whose coroutine is cancelled by a signal that asks to stop.

    The coroutine can end what it has begun; ``Interrupted`` is raised when it has ended.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._runner.__exit__(*exception)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop."""
        return self._runner.get_loop()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""

        async def run_and_listen() -> T:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            with stop_signals.cancelling(
                lambda: loop.call_soon_threadsafe(task.cancel),
                "stopping; answers under way are paid for, and are waited for and stored.",
            ):
                return await coroutine

        try:
            return self._runner.run(run_and_listen())
        except (Exception, asyncio.CancelledError) as error:
            if stop_signals.is_stop_requested():
                # The error may be a consequence of the cancellation.
                raise stop_signals.interruption() from error
            raise


def run_stoppably(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own; see ``StoppableRunner``."""
    with stop_signals.handled_signals(), StoppableRunner() as runner:
        return runner.run(coroutine)


class timeout_while_running:  # noqa: N801 - like ``asyncio.timeout``
    """Raise ``TimeoutError`` after some seconds, like ``asyncio.timeout``.

    If the event loop was blocked when the time was up, such as by a locked file, there is as much
    more time as the timer is late. Otherwise answers that have arrived meanwhile would be lost.
    """

    # A class, because an asynchronous generator takes three times as long, for each request.
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __aenter__(self) -> None:
        self._limit = asyncio.timeout(None)
        await self._limit.__aenter__()
        self._wait_until(asyncio.get_running_loop().time() + self._seconds)

    async def __aexit__(self, *error: Any) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(*error)

    def _wait_until(self, due: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(due, self._expire, due)

    def _expire(self, due: float) -> None:
        now = asyncio.get_running_loop().time()
        late = now - due
        if late > _LATE_S:
            self._wait_until(now + late)
        else:
            self._limit.reschedule(now)


async def run_all(
    items: Iterable[T], work: Callable[[T], Awaitable[None]], max_concurrency: int
) -> None:
    """Process all items, ``max_concurrency`` at a time; the first error cancels the others.

    Items are consumed one by one as capacity allows, so that they need not all be in memory.

    Raises
    ------
    RuntimeError
        If ``work`` raises ``CancelledError`` although nothing cancelled it, because it waits for a
        task that was. A task group would take the item for processed.
    """
    asyncio.get_running_loop().set_exception_handler(report_no_interrupts)
    capacity = asyncio.Semaphore(max_concurrency)
    num_begun = num_done = 0

    async def work_and_release(item: T) -> None:
        nonlocal num_done
        try:
            await work(item)
            num_done += 1
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                raise _stray_cancellation() from error
            raise
        finally:
            capacity.release()

    error: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            for item in items:
                await capacity.acquire()
                tasks.create_task(work_and_release(item))
                num_begun += 1
    except BaseExceptionGroup as group:
        error = first_error(group)
    # Raised here, where the group, with the tracebacks of all the others, is not its context.
    if isinstance(error, NipError):
        raise error from None
    if error is not None:
        raise error
    # Code that cancels its own task is noticed only here.
    if num_done < num_begun:
        raise _stray_cancellation()


def _stray_cancellation() -> RuntimeError:
    return RuntimeError(
        "Work under way was cancelled by the code that it calls, and nobody else. A task that it "
        "waits for was cancelled, or it has cancelled itself."
    )


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
