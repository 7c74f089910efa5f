"""Running coroutines from ordinary code, also where an event loop runs already."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def call_without_event_loop(function: Callable[[], T]) -> T:
    """Call a function that runs event loops of its own.

    In a notebook, a loop runs in the thread that executes the cells, and a second one cannot run
    in it; then the function is called in another thread, and this one waits.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return function()
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(function).result()


def report_no_interrupts(loop: asyncio.AbstractEventLoop, report: dict[str, Any]) -> None:
    """Handle what an event loop reports, without a word about tasks that Ctrl-C has ended.

    A task which a ``KeyboardInterrupt`` ran through has passed it on; asyncio, which does not know
    this, would print the whole story once more, and at any time: when the task is collected.
    """
    if not isinstance(report.get("exception"), KeyboardInterrupt):
        loop.default_exception_handler(report)


def first_error(group: BaseExceptionGroup) -> BaseException:
    """Return the first error in a group, looking into groups within it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
