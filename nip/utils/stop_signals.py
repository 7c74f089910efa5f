"""Signals that ask a process to stop: Ctrl-C, and those that batch systems send before a kill.

The first signal ends the work in the most orderly way that is possible at that moment: after the
iteration under way, or after the answers under way, or immediately. Ctrl-C after that ends it at
once. Other repetitions have no effect, because batch systems and ``torchrun`` both send them.

This module imports nothing that takes time, so that command lines can handle signals from their
first moment.
"""

import atexit
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Signals that are handled, as far as the operating system has them."""

EXIT_INTERRUPTED = 130
"""Exit code after Ctrl-C."""

EXIT_RESUME = 75
"""Exit code after any other signal: the same command goes on (``EX_TEMPFAIL``)."""

_SHOW_CURSOR = "\x1b[?25h"


class Interrupted(KeyboardInterrupt):
    """A signal has asked this process to stop.

    Parameters
    ----------
    number : int
        Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal_name(number)}")
        self.number = number


def signal_name(number: int) -> str:
    """Return the name of a signal; that of ``SIGINT`` is Ctrl-C."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def exit_code_after(number: int) -> int:
    """Return the exit code of a command line that a signal has stopped."""
    return EXIT_INTERRUPTED if number == signal.SIGINT else EXIT_RESUME


def exit_code_of_interruption(error: KeyboardInterrupt) -> int:
    """Return the exit code of a command line that ends with this exception."""
    return exit_code_after(error.number if isinstance(error, Interrupted) else signal.SIGINT)


class _State:
    """What happens to this process when a signal arrives. There is one instance."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.exits = False
        """Whether a signal ends the process without any clean-up."""
        self.is_command_line = False
        self.last_words: Callable[[], str] = str
        self.announcement: str | None = None
        """Message when a signal is postponed; None when none is."""
        self.cancel: Callable[[], object] | None = None

    def handle(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            # Ignored within a clean-up, unless the user insists.
            if number == signal.SIGINT:
                self._end_at_once()
            return
        self.received = number
        if self.exits:
            self._exit(number)
        if self.cancel is None and self.announcement is None:
            raise Interrupted(number)
        if self.announcement is not None:
            again = "Another Ctrl-C" if number == signal.SIGINT else "Ctrl-C"
            self._say(f"{signal_name(number)}: {self.announcement} {again} ends it at once.")
        if self.cancel is not None:
            self.cancel()

    def _end_at_once(self) -> None:
        if self.is_command_line:
            self._exit(signal.SIGINT)
        raise KeyboardInterrupt

    def _exit(self, number: int) -> None:
        """End the process. Nothing is lost: a kill at any moment loses nothing either."""
        with suppress(Exception):
            # A progress bar has hidden the cursor.
            self._say((_SHOW_CURSOR if os.isatty(2) else "") + self.last_words())
        os._exit(exit_code_after(number))

    def _say(self, message: str) -> None:
        """Write to standard error without Python's buffers, which may be in use just now."""
        if not _is_first_rank():
            return
        with suppress(OSError):
            os.write(2, f"\n{message}\n".encode(errors="replace"))


_state = _State()


def _is_first_rank() -> bool:
    return os.environ.get("RANK", "0") == "0"


def is_stop_requested() -> bool:
    """Return whether a signal has asked this process to stop."""
    return _state.received is not None


def interruption() -> Interrupted:
    """Return the exception for the signal that arrived in this process, or in another rank."""
    return Interrupted(signal.SIGTERM if _state.received is None else _state.received)


def stop_if_requested() -> None:
    """Raise ``Interrupted`` if a signal has asked this process to stop."""
    if is_stop_requested():
        raise interruption()


def postpone_stop(announcement: str) -> None:
    """Let a signal take effect at the next ``stop_if_requested``, with this announcement."""
    _state.announcement = announcement


def no_longer_postpone() -> None:
    """Let a signal take effect immediately again."""
    _state.announcement = None


@contextmanager
def cancelling(cancel: Callable[[], object], announcement: str | None = None) -> Iterator[None]:
    """Let the first signal within a ``with`` block call ``cancel`` instead of raising.

    ``cancel`` is called in the main thread, whichever thread the block is in. Without an
    announcement nothing is printed.
    """
    before = _state.cancel, _state.announcement
    _state.cancel, _state.announcement = cancel, announcement
    try:
        yield
    finally:
        _state.cancel, _state.announcement = before


@contextmanager
def last_words(words: Callable[[], str]) -> Iterator[None]:
    """Set the message of a command line that a signal ends within a ``with`` block."""
    before, _state.last_words = _state.last_words, words
    try:
        yield
    finally:
        _state.last_words = before


def exit_on_signals(words: str) -> None:
    """Let signals end this command line with a message and an exit code, without a traceback.

    Until ``handled_signals`` is entered nothing needs a clean-up, so that the process ends at once,
    even within an import.
    """
    _state.is_command_line = _state.exits = True
    _state.last_words = lambda: words
    _install()
    # Functions of libraries are registered later, and are called before this one.
    atexit.register(_ignore_while_exiting)


@contextmanager
def handled_signals() -> Iterator[None]:
    """Let signals raise ``Interrupted`` within a ``with`` block, or take effect later.

    Handlers of the caller, signals that are ignored, and threads other than the main one are left
    alone. Afterwards everything is as before.
    """
    exited, _state.exits = _state.exits, False
    before = {} if _state.is_command_line else _install()
    try:
        yield
    finally:
        _state.exits = exited
        no_longer_postpone()
        for number, handler in before.items():
            signal.signal(number, handler)
        if before:
            _state.received = None


def _ignore_while_exiting() -> None:
    """Keep the exit code when a signal arrives while the interpreter takes itself apart.

    It puts the defaults back before that, which takes a while after an import of torch. Ctrl-C
    still ends it.
    """
    for number in SIGNALS:
        if signal.getsignal(number) == _state.handle:
            is_ctrl_c = number == signal.SIGINT
            signal.signal(number, signal.SIG_DFL if is_ctrl_c else signal.SIG_IGN)


def _install() -> dict[int, signal.Handlers | Callable[[int, FrameType | None], object]]:
    """Install the handlers where the default is in force; return what was there."""
    before: dict[int, signal.Handlers | Callable[[int, FrameType | None], object]] = {}
    if threading.current_thread() is not threading.main_thread():
        return before
    for number in SIGNALS:
        handler = signal.getsignal(number)
        # nohup, and shells that start something in the background, ignore signals on purpose.
        if handler in (signal.SIG_DFL, signal.default_int_handler):
            assert callable(handler) or isinstance(handler, signal.Handlers)
            before[number] = handler
            signal.signal(number, _state.handle)
    return before
