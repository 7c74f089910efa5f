"""How errors and warnings of a user reach the terminal: one clear message, no traceback."""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from nip.errors import NipError, NipWarning
from nip.utils.ranks import launched_ranks

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
SECONDS_FOR_THE_FIRST = 20


@contextmanager
def plain_messages(when_interrupted: Callable[[], str]) -> Iterator[None]:
    """Turn a user's errors into a message and exit code 2, and Ctrl-C into a message and 130.

    Of the processes that torchrun has started only the first prints what all would say.

    Parameters
    ----------
    when_interrupted : Callable[[], str]
        Gives what to say after Ctrl-C.
    """
    try:
        yield
    except NipError as error:
        _wait_for_the_first_process()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    except KeyboardInterrupt:
        if launched_ranks().is_first:
            print(f"\n{when_interrupted()}", file=sys.stderr)
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
        elif str(message) not in shown and launched_ranks().is_first:
            shown.add(str(message))
            print(f"warning: {message}", file=sys.stderr)

    warnings.showwarning = show_plainly
    # Parameters are read twice, before and within Hydra. The filter "once" would forget what was
    # shown as soon as any library changes the filters.
    warnings.filterwarnings("always", category=NipWarning)


def _wait_for_the_first_process() -> None:
    """Leave it to the first of torchrun's processes to tell a mistake, which is that of all.

    As soon as one process has ended, torchrun ends the others: so they wait for that. Whoever is
    still there after a while has made a mistake of its own.
    """
    if not launched_ranks().is_first:
        time.sleep(SECONDS_FOR_THE_FIRST)
