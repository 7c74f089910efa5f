"""Progress bars of the loops of a trainer."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from nip.utils.progress import ProgressBar


class IterationContext:
    """Progress bar of a loop, as the loop sees it.

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
        """Set the text beside the bar."""
        self._bar.set_description(description)

    def set_metrics(self, metrics: Mapping[str, float]) -> None:
        """Show metrics beside the bar."""
        self._bar.set_metrics(metrics)

    def step(self, count: int = 1) -> None:
        """Advance the bar by a number of iterations."""
        self._bar.advance(count)


def attach_progress_bar(
    num_iterations: Callable[[Any], int],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a loop a progress bar.

    The decorated method gets an ``IterationContext`` as its first argument; callers do not pass
    it.

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
    """Return the number of iterations of all loops with a progress bar, together."""
    names = sorted(name for name in dir(type(trainer)) if not name.startswith("__"))
    loops = (getattr(type(trainer), name) for name in names)
    return sum(loop.num_iterations(trainer) for loop in loops if hasattr(loop, "num_iterations"))
