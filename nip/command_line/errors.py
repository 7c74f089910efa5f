"""Errors and warnings on the terminal: one message each, without a traceback."""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TextIO

from nip.command_table import COMMANDS
from nip.errors import LockedFileError, NipError, NipWarning, RankError
from nip.utils.ranks import launched_ranks
from nip.utils.secrets import scrub_code
from nip.utils.stop_signals import (
    exit_code_of_interruption,
    interruption,
    is_stop_requested,
    last_words,
)
from nip.utils.unicode_text import visible

EXIT_USER_ERROR = 2
SECONDS_FOR_THE_FIRST = 20


def stopped_early() -> str:
    """Return the message after a signal when there is nothing to resume."""
    return COMMANDS["run"].when_stopped


@contextmanager
def plain_messages(when_interrupted: Callable[[], str] = stopped_early) -> Iterator[None]:
    """Exit with a message: with code 2 after a ``NipError``, else with that of the signal.

    The code is 130 after Ctrl-C and 75 after any other signal that asks to stop. Of the processes
    of torchrun only the first prints messages that all share.
    """
    try:
        with last_words(when_interrupted):
            yield
    except NipError as error:
        if isinstance(error, RankError) and is_stop_requested():
            # The other rank has been stopped as well, and was faster.
            _exit_after(interruption(), when_interrupted)
        if isinstance(error, LockedFileError) and is_stop_requested():
            # Without the signal, it would still be waited for.
            print(visible(scrub_code(f"warning: {error}")), file=sys.stderr)
            _exit_after(interruption(), when_interrupted)
        _wait_for_the_first_process()
        print(visible(scrub_code(f"error: {error}")), file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    except KeyboardInterrupt as error:
        _exit_after(error, when_interrupted)


def _exit_after(error: KeyboardInterrupt, when_interrupted: Callable[[], str]) -> NoReturn:
    if launched_ranks().is_first:
        print(f"\n{visible(when_interrupted())}", file=sys.stderr)
    sys.exit(exit_code_of_interruption(error))


def show_warnings_plainly() -> None:
    """Print each of our own warnings once, as one line; leave those of libraries unchanged."""
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
            print(visible(scrub_code(f"warning: {message}")), file=sys.stderr)

    warnings.showwarning = show_plainly
    # The filter "once" would repeat warnings as soon as a library changes the filters.
    warnings.filterwarnings("always", category=NipWarning)


def _wait_for_the_first_process() -> None:
    """Let the first process of torchrun report an error that all processes share.

    As soon as one process has ended, torchrun ends the others, so they wait for that. A process
    that is still running after this time has an error of its own.
    """
    if not launched_ranks().is_first:
        time.sleep(SECONDS_FOR_THE_FIRST)
