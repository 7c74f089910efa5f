"""Connection to the process that runs candidate programs, with limits of time and size."""

import os
import selectors
import struct
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

LENGTH = struct.Struct("!I")
"""Length of a message, which precedes it."""


class WorkerLostError(Exception):
    """The process ended, or does not answer as it should; the text says how."""


class WorkerProcess:
    """A process that answers each request with one message.

    What it writes is not trusted: a program in it may have taken it over.

    Raises
    ------
    WorkerLostError
        If it cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/",
                # Ctrl-C must reach only the parent process, which then closes this one.
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerLostError(f"cannot be started: {error}") from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._sink = self._process.stdin.fileno()
        self._source = self._process.stdout.fileno()
        os.set_blocking(self._sink, False)
        os.set_blocking(self._source, False)

    def ask(self, request: bytes, content: bytes, seconds: float, max_bytes: int) -> bytes:
        """Send a request and what follows it, and return the answer.

        Parameters
        ----------
        seconds : float
            Time for the answer.
        max_bytes : int
            Size of the answer.

        Raises
        ------
        WorkerLostError
            If there is no answer in time, or one that is too large.
        """
        deadline = time.monotonic() + seconds
        self._write(LENGTH.pack(len(request)) + request + content, deadline)
        (size,) = LENGTH.unpack(self._read(LENGTH.size, deadline))
        if size > max_bytes:
            raise WorkerLostError(f"announced an answer of {size} bytes")
        return self._read(size, deadline)

    def close(self, patience: float = 2.0) -> None:
        """End the process; kill it if it does not end by itself within some seconds."""
        with suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _write(self, content: bytes, deadline: float) -> None:
        view = memoryview(content)
        while view:
            self._wait(self._sink, selectors.EVENT_WRITE, deadline)
            try:
                view = view[os.write(self._sink, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._ended() from None

    def _read(self, size: int, deadline: float) -> bytes:
        parts = []
        while size:
            self._wait(self._source, selectors.EVENT_READ, deadline)
            part = os.read(self._source, min(size, 1 << 20))
            if not part:
                raise self._ended()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, event)
            if not selector.select(max(deadline - time.monotonic(), 0)):
                raise WorkerLostError("did not answer in time")

    def _ended(self) -> WorkerLostError:
        self._process.kill()
        code = self._process.wait()
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        message = (self._process.stderr.read() or b"").decode(errors="replace").rstrip(".\n")
        return WorkerLostError(
            ": ".join([f"ended with exit code {code}", *message.splitlines()[-1:]])
        )
