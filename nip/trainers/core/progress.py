"""Progress bars of the loops of a trainer."""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

from nip.trainers.core.own_loops import OwnLoops
from nip.utils.progress import ProgressBar

TRAIN_LOOP, TEST_LOOP = "_run_train_loop", "_run_test_loop"
"""Names of the loops of training and of the final test."""


class IterationContext:
    """Progress of a loop, as the loop sees it.

    In a training loop, ``for iteration in iteration_context`` yields the remaining iterations,
    counted from 0, and ends when training stops.

    Parameters
    ----------
    bar : ProgressBar
        The bar.
    total : int
        Number of iterations of the loop.
    """

    def __init__(self, bar: ProgressBar, total: int) -> None:
        self._bar = bar
        self.total = total
        self._loops: OwnLoops | None = None
        self._first = 0
        self._knows_first = False
        self._num_steps = 0

    @property
    def first(self) -> int:
        """Number of iterations that earlier processes have completed: where to begin."""
        self._knows_first = True
        return self._first

    def __iter__(self) -> Iterator[int]:
        """Yield the remaining iterations, and end each one unless the loop calls ``step``."""
        iteration = self.first
        while iteration < self.total:
            self._num_steps = 0
            yield iteration
            if self._num_steps == 0:
                self.step()
            iteration += 1

    def set_description(self, description: str) -> None:
        """Set the text beside the bar."""
        self._bar.set_description(description)

    def set_metrics(self, metrics: Mapping[str, float]) -> None:
        """Show metrics beside the bar."""
        self._bar.set_metrics(metrics)

    @property
    def num_steps(self) -> int:
        """Number of calls of ``step``."""
        return self._num_steps

    def step(self, count: int = 1) -> None:
        """Report the end of an iteration, or of several.

        In a training loop this evaluates if it is due, calls ``on_iteration_end`` of the callbacks,
        and saves a checkpoint if one is due. If training is to stop, it leaves the loop.
        """
        self._num_steps += count
        for _ in range(count):
            self._bar.advance()
            if self._loops is not None:
                self._loops.step(self, leaves_at_end=self._first > 0 and not self._knows_first)

    def advance(self, count: int = 1) -> None:
        """Advance the bar, without any other effect."""
        self._bar.advance(count)

    def attach(self, loops: OwnLoops, first: int) -> None:
        """Let ``step`` end iterations of training, of which ``first`` are completed."""
        self._loops, self._first = loops, first
        self._bar.advance(first)


def attach_progress_bar(
    num_iterations: Callable[[Any], int],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a loop a progress bar.

    The decorated method gets an ``IterationContext`` as its first argument; callers do not pass
    it. In a method named ``_run_train_loop``, each ``step`` of it ends an iteration of training.

    Parameters
    ----------
    num_iterations : callable
        Takes the trainer and returns the number of iterations of this loop.
    """

    def decorate(loop: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(loop)
        def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            total = num_iterations(self)
            with ProgressBar("", total=total, enabled=self.settings.progress) as bar:
                iteration_context = IterationContext(bar, total)
                loops = getattr(self, "loops", None)
                if loops is None:
                    return loop(self, iteration_context, *args, **kwargs)
                if loop.__name__ not in (TRAIN_LOOP, TEST_LOOP):
                    result = loop(self, iteration_context, *args, **kwargs)
                    loops.num_unnamed_steps = iteration_context.num_steps
                    return result
                if loop.__name__ == TEST_LOOP:
                    with loops.testing():
                        return loop(self, iteration_context, *args, **kwargs)
                return loops.run(
                    iteration_context, lambda: loop(self, iteration_context, *args, **kwargs)
                )

        wrapped.num_iterations = num_iterations  # type: ignore[attr-defined]
        return wrapped

    return decorate


def total_iterations(trainer: object) -> int:
    """Return the number of iterations of all loops with a progress bar, together."""
    names = sorted(name for name in dir(type(trainer)) if not name.startswith("__"))
    loops = (getattr(type(trainer), name) for name in names)
    return sum(loop.num_iterations(trainer) for loop in loops if hasattr(loop, "num_iterations"))
