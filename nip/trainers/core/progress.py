"""Progress bars around the loops of a trainer."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from nip.utils.progress import ProgressBar


class IterationContext:
    """What a loop tells its progress bar.

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

    def set_description(self, description: str) -> None:
        """Say what the loop is doing."""
        self._bar.set_description(description)

    def set_metrics(self, metrics: Mapping[str, float]) -> None:
        """Show figures beside the bar."""
        self._bar.set_metrics(metrics)

    def step(self, count: int = 1) -> None:
        """Say that iterations are done."""
        self._bar.advance(count)


def attach_progress_bar(
    num_iterations: Callable[[Any], int],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a loop a progress bar.

    The decorated method is called without the iteration context, which it receives as its first
    argument.

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
                return loop(self, IterationContext(bar, total), *args, **kwargs)

        wrapped.num_iterations = num_iterations  # type: ignore[attr-defined]
        return wrapped

    return decorate


def total_iterations(trainer: object) -> int:
    """Return the iterations of all loops of a trainer that have a progress bar."""
    names = sorted(name for name in dir(type(trainer)) if not name.startswith("__"))
    loops = (getattr(type(trainer), name) for name in names)
    return sum(loop.num_iterations(trainer) for loop in loops if hasattr(loop, "num_iterations"))
