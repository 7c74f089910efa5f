"""Standard output and error that can always be written to, whoever reads them.

A closed pipe, a full disk, a dead terminal or a character that the terminal cannot show must not
end a training, which nobody needs to watch.
"""

import io
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from nip.errors import warn_user


class LastingStream:
    """A text stream whose writing never fails; what cannot be written is dropped.

    Everything else is passed on to the stream, so that it can replace ``sys.stdout``.

    Parameters
    ----------
    stream : TextIO, optional
        The stream; None if the process was started with a closed one.
    on_loss : callable
        Called once, with the error, when something cannot be written.
    """

    def __init__(
        self, stream: TextIO | None, on_loss: Callable[[Exception], object] = lambda _: None
    ) -> None:
        self._stream: TextIO = io.StringIO() if stream is None else stream
        self._is_closed = stream is None
        self.on_loss = on_loss
        self._is_told = False

    def write(self, text: str) -> int:
        """Write a text. Characters that the encoding lacks are written as escapes."""
        if self._is_closed:
            return len(text)
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            return self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except (OSError, ValueError) as error:
            self._note(error)
            return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is in the buffer."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._note(error)

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        try:
            return self._stream.isatty()
        except (OSError, ValueError):
            return False

    def _note(self, error: Exception) -> None:
        if not self._is_told:
            self._is_told = True
            self.on_loss(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def lasting(stream: TextIO | None) -> LastingStream:
    """Return a stream that can always be written to, and warns once if something is lost."""
    return stream if isinstance(stream, LastingStream) else LastingStream(stream, _warn)


def protect_output() -> None:
    """Let a command line write to standard output and error whatever has become of them."""
    _open_closed_descriptors()
    sys.stdout, sys.stderr = LastingStream(sys.stdout), LastingStream(sys.stderr)


def announce_lost_output() -> None:
    """Warn once if standard output, as protected by ``protect_output``, cannot be written."""
    if isinstance(sys.stdout, LastingStream):
        sys.stdout.on_loss = _warn


def _warn(error: Exception) -> None:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    warn_user(
        f"Standard output cannot be written any more ({reason}). Nothing else is affected: the "
        "work goes on, and everything is stored as usual."
    )


def _open_closed_descriptors() -> None:
    """Open the null device in place of standard streams that the process was started without.

    Otherwise the next file to be opened gets their number, and whatever a library prints is written
    into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
