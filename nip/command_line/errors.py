"""How errors and warnings of a user reach the terminal: one clear message, no traceback."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from nip.errors import NipError, NipWarning

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


@contextmanager
def plain_messages(when_interrupted: Callable[[], str]) -> Iterator[None]:
    """Turn a user's errors into a message and exit code 2, and Ctrl-C into a message and 130.

    Parameters
    ----------
    when_interrupted
        Gives what to say after Ctrl-C.
    """
    try:
        yield
    except NipError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    except KeyboardInterrupt:
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
        elif str(message) not in shown:
            shown.add(str(message))
            print(f"warning: {message}", file=sys.stderr)

    warnings.showwarning = show_plainly
    # Parameters are read twice, before and within Hydra. The filter "once" would forget what was
    # shown as soon as any library changes the filters.
    warnings.filterwarnings("always", category=NipWarning)
