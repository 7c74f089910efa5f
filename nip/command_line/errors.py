"""How errors and warnings of a user reach the terminal: one clear message, no traceback."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from nip.errors import NipError, NipWarning
from nip.utils.ranks import launched_ranks

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


@contextmanager
def plain_messages(when_interrupted: Callable[[], str]) -> Iterator[None]:
    """Turn a user's errors into a message and exit code 2, and Ctrl-C into a message and 130.

    Of the processes that torchrun has started, one on each machine prints it: all make the same
    mistake.

    Parameters
    ----------
    when_interrupted
        Gives what to say after Ctrl-C.
    """
    try:
        yield
    except NipError as error:
        _print(f"error: {error}")
        sys.exit(EXIT_USER_ERROR)
    except KeyboardInterrupt:
        _print(f"\n{when_interrupted()}")
        sys.exit(EXIT_INTERRUPTED)


def show_warnings_plainly() -> None:
    """Show our own warnings as one line each and once; those of libraries stay as they are."""
    show = warnings.showwarning
    shown: set[str] = set()

    def show_plainly(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not issubclass(category, NipWarning):
            show(message, category, filename, lineno, file, line)
        elif str(message) not in shown:
            shown.add(str(message))
            _print(f"warning: {message}")

    warnings.showwarning = show_plainly
    # Parameters are read twice, before and within Hydra. The filter "once" would forget what was
    # shown as soon as any library changes the filters.
    warnings.filterwarnings("always", category=NipWarning)


def _print(message: str) -> None:
    if launched_ranks().local_rank == 0:
        print(message, file=sys.stderr)
