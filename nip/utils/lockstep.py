"""Running functions in lockstep: threads of which one runs at a time, and which work together."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[[list[Any]], Sequence[Any]]
"""Takes the requests of several tasks, and returns the result of each."""

Order = tuple[int, ...]
"""Position of a request in the course of a task."""


def _nothing(*state: Any) -> None:
    """Leave the state of the process alone."""


class Lockstep:
    """Runs tasks that meet from time to time, so that a part of their work is done for all at once.

    Each task has a thread of its own, but only one thread runs at any time: until its task has
    ended or calls ``meet``. What the tasks do, and in which order, therefore does not depend on
    timing, and they need no locks.

    Parameters
    ----------
    save, restore : callable
        Return and set the state of the process that each task is to have for itself, such as that
        of a global random generator.
    """

    def __init__(
        self,
        save: Callable[[], Any] = _nothing,
        restore: Callable[[Any], object] = _nothing,
    ) -> None:
        self._save = save
        self._restore = restore
        self._running: _Member | None = None

    def run(self, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
        """Run all tasks to their ends.

        Returns
        -------
        outcomes : list
            Of each task its return value, or the exception that ended it.

        Raises
        ------
        BaseException
            Whatever interrupts the caller, such as ``KeyboardInterrupt``; it is first raised in all
            tasks, in ``meet``.
        """
        outer = self._save()
        members = [_Member(task, state=outer) for task in tasks]
        ready = members
        try:
            while ready:
                for member in ready:
                    self._continue(member)
                ready = _answered([member for member in members if not member.has_ended])
        except BaseException as error:
            self._abort(members, error)
            raise
        finally:
            self._restore(outer)
        return [member.outcome for member in members]

    def meet(self, answer: Answer, request: Any, order: Order = ()) -> Any:
        """Wait for the other tasks, and return the result of a request; called within a task.

        When all tasks that have not ended wait here, those that are furthest behind, which have the
        smallest ``order``, go on. Among them requests with the same ``answer`` are answered in a
        single call.
        """
        member = self._running
        assert member is not None, "meet() is called within a task"
        member.answer, member.request, member.order = answer, request, order
        member.paused.release()
        member.resumed.acquire()
        if member.error is not None:
            error, member.error = member.error, None
            raise error
        return member.result

    def _continue(self, member: _Member) -> None:
        """Let a task run until it meets the others, or ends."""
        self._running = member
        self._restore(member.state)
        if member.thread is None:
            # A thread begins with an empty context, unlike a function that is called.
            context = contextvars.copy_context()
            member.thread = threading.Thread(target=context.run, args=(member.run,), daemon=True)
            member.thread.start()
        else:
            member.resumed.release()
        member.paused.acquire()
        self._running = None
        member.state = self._save()

    def _abort(self, members: Sequence[_Member], error: BaseException) -> None:
        """End all tasks by raising an error where they wait."""
        if self._running is not None:
            self._running.paused.acquire()
        for member in members:
            while member.thread is not None and not member.has_ended:
                member.error = error
                self._continue(member)


@dataclass(eq=False)
class _Member:
    """A task with its thread."""

    task: Callable[[], Any]
    state: Any
    thread: threading.Thread | None = None
    paused: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    resumed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    answer: Answer | None = None
    request: Any = None
    order: Order = ()
    result: Any = None
    error: BaseException | None = None
    outcome: Any = None
    has_ended: bool = False

    def run(self) -> None:
        try:
            self.outcome = self.task()
        except BaseException as error:
            self.outcome = error
        self.has_ended = True
        self.paused.release()


def _answered(waiting: Sequence[_Member]) -> list[_Member]:
    """Answer the requests that are furthest behind, and return who goes on."""
    if not waiting:
        return []
    first = min(waiting, key=lambda member: member.order)
    together = [
        member
        for member in waiting
        if member.order == first.order and member.answer == first.answer
    ]
    assert first.answer is not None
    try:
        results = first.answer([member.request for member in together])
        for member, result in zip(together, results, strict=True):
            member.result = result
    except Exception as error:
        for member in together:
            member.error = error
    return together
