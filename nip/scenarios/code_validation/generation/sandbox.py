"""Sandbox for candidate programs: a process that runs them without access to the system."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nip.errors import NipError

WORKER = Path(__file__).with_name("sandbox_worker.py")

# No installed packages, no folders of the caller, no environment variables; a fixed hash seed makes
# the iteration order of sets of strings reproducible.
WORKER_OPTIONS = ("-S", "-s", "-P", "-B")
WORKER_ENVIRONMENT = {"PYTHONHASHSEED": "0"}


UNREADABLE = "its result cannot be read"


class SandboxError(NipError, RuntimeError):
    """The process that runs candidate programs failed."""


@dataclass(frozen=True)
class Outcome:
    """Result of a program for one input."""

    kind: str
    """``value``, ``strange`` (not a JSON value, or too long), ``exception`` or ``timeout``."""

    text: str
    """The value as JSON, the type of a strange one, or the error; empty for a timeout."""

    @property
    def value(self) -> Any:
        """The returned value, for the kind ``value``."""
        return json.loads(self.text)


@dataclass(frozen=True)
class ProgramRun:
    """Result of a program for all inputs."""

    outcomes: tuple[Outcome, ...]
    """One outcome per input; empty if the program was stopped."""

    steps: int = 0
    """Largest number of steps (loop iterations and function calls) of one input."""

    stopped: str | None = None
    """Why the program was stopped, in which case it is unusable; None if it was not."""


class Sandbox:
    """A process that runs programs on a list of inputs, each program in a separate child process.

    A child cannot use the network, open files or start processes, can import only a few modules,
    and has limits on memory and time; see ``sandbox_worker``. Timeouts are decided by the number of
    steps, so that labels do not depend on the load of the machine. A context manager.

    Parameters
    ----------
    hash_seed : int
        Hash seed of the process, which determines the iteration order of sets of strings.

    Raises
    ------
    SandboxError
        If the process cannot be started (it needs a system that can fork: Linux or macOS).
    """

    def __init__(self, hash_seed: int = 0) -> None:
        environment = {**WORKER_ENVIRONMENT, "PYTHONHASHSEED": str(hash_seed)}
        if sys.platform == "win32":
            raise SandboxError(
                "Candidate programs are run in forked processes, which Windows does not have. "
                "Make the dataset on Linux, macOS or the Windows Subsystem for Linux."
            )
        self._process = subprocess.Popen(
            [sys.executable, *WORKER_OPTIONS, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd="/",
            # Ctrl-C must reach only the parent process, which then closes this one.
            start_new_session=True,
        )
        try:
            self.has_left_the_network = bool(self._receive()["has_left_the_network"])
        except BaseException:
            self.close()
            raise
        self._num_inputs = 0

    def set_inputs(self, inputs: Sequence[Sequence[Any]]) -> None:
        """Set the arguments on which programs are run from now on."""
        self._ask({"inputs": [json.dumps(arguments) for arguments in inputs]})
        self._num_inputs = len(inputs)

    def run(self, program: str, max_steps: int, num_inputs: int | None = None) -> ProgramRun:
        """Run a program that defines ``solve``, on all inputs or on a number of first ones.

        A call counts as a timeout after ``max_steps`` steps.
        """
        num_inputs = min(self._num_inputs if num_inputs is None else num_inputs, self._num_inputs)
        request = {"program": program, "num_inputs": num_inputs, "max_steps": max_steps}
        answer = self._ask(request)
        if "stopped" in answer:
            return ProgramRun((), stopped=str(answer["stopped"]))
        # A program that escapes from its function could write anything instead of a result.
        try:
            outcomes = tuple(Outcome(kind, text) for kind, text in answer["outcomes"])
            steps = int(answer["steps"])
        except (KeyError, TypeError, ValueError):
            return ProgramRun((), stopped=UNREADABLE)
        if len(outcomes) != num_inputs:
            return ProgramRun((), stopped=UNREADABLE)
        return ProgramRun(outcomes, steps)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        sink = self._process.stdin
        assert sink is not None
        try:
            sink.write(json.dumps(request).encode() + b"\n")
            sink.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        source = self._process.stdout
        assert source is not None
        line = source.readline()
        if not line:
            raise self._ended()
        return dict(json.loads(line))

    def _ended(self) -> SandboxError:
        return SandboxError(
            "The process that runs candidate programs ended unexpectedly (exit code "
            f"{self._process.wait()}). If the machine is short of memory, use fewer workers."
        )
