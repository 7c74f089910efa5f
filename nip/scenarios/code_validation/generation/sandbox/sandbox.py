"""Sandbox for candidate programs: a process that runs them without access to the system."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nip.errors import NipError
from nip.scenarios.code_validation.generation.sandbox.candidate_program import LONGEST_OUTPUT
from nip.scenarios.code_validation.generation.sandbox.isolation import (
    MODES,
    IsolationMode,
    IsolationUnavailableError,
    worker_command,
    worker_settings,
)
from nip.scenarios.code_validation.generation.sandbox.worker import MAX_RESULT_BYTES, WALL_SECONDS
from nip.scenarios.code_validation.generation.sandbox.worker_process import (
    WorkerLostError,
    WorkerProcess,
)

OUTCOME_KINDS = ("value", "strange", "exception", "timeout")
"""Kinds of outcomes."""

UNREADABLE = "its result cannot be read"
DISRUPTIVE = "it ended the process that runs programs, twice"

MAX_ANSWER_BYTES = MAX_RESULT_BYTES + 2**16
ANSWER_SECONDS = WALL_SECONDS + 15
"""Time for the answer of the process that runs programs, which has a shorter limit of its own."""

MAX_REASON_LENGTH = 500

SELF_TEST = """
import heapq, re
def solve(n):
    text = "x" * n * 1000
    numbers = sorted(range(n * 1000), key=lambda i: -i)
    try:
        solve("no number")
    except TypeError:
        return [len(text * 1000), heapq.nsmallest(2, numbers), re.sub("x+", "y", text), 3 ** n]
"""
"""A program that needs much memory and time at once, to learn whether programs can run at all."""

SELF_TEST_INPUT = 40
SELF_TEST_VALUE = [40_000_000, [0, 1], "y", 3**40]


class SandboxError(NipError, RuntimeError):
    """The process that runs candidate programs failed."""


@dataclass(frozen=True)
class Outcome:
    """Result of a program for one input."""

    kind: str
    """``value``, ``strange`` (not a JSON value, or too long), ``exception`` or ``timeout``."""

    text: str
    """The value as JSON, the type of a strange one, or the error; empty for a timeout."""

    value: Any = None
    """The returned value, for the kind ``value``."""


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

    A program is assumed to take over its own process, and to write any result of its own. So that
    process knows neither the expected outputs nor other programs, and the kernel keeps it from
    everything outside; how far depends on the mode (see ``isolation``). Timeouts are decided by the
    number of steps, so that labels do not depend on the load of the machine. A context manager.

    Parameters
    ----------
    hash_seed : int
        Hash seed of the process, which determines the iteration order of sets of strings.
    mode : IsolationMode, optional
        How programs are isolated; the strongest mode that this machine has, by default.

    Attributes
    ----------
    mode : IsolationMode
        How programs are isolated.
    missing : dict
        For each stronger mode that was tried, why this machine does not have it.

    Raises
    ------
    SandboxError
        If the process cannot be started (it needs a system that can fork: Linux or macOS), or the
        machine does not have the mode.
    """

    def __init__(self, hash_seed: int = 0, mode: IsolationMode | None = None) -> None:
        if sys.platform == "win32":
            raise SandboxError(
                "Candidate programs are run in forked processes, which Windows does not have. "
                "Make the dataset on Linux, macOS or the Windows Subsystem for Linux."
            )
        self._hash_seed = hash_seed
        self._inputs: list[str] = []
        self.missing: dict[IsolationMode, str] = {}
        for self.mode in MODES if mode is None else (mode,):
            try:
                self._worker = self._start()
                return
            except (IsolationUnavailableError, WorkerLostError) as error:
                self.missing[self.mode] = str(error)
        raise SandboxError(
            f"This machine cannot run candidate programs in isolation: {self.reasons()}. "
            "Give no mode to take the strongest that it has."
        )

    def reasons(self) -> str:
        """Return why stronger modes are missing."""
        return "; ".join(f"{mode}: {reason}" for mode, reason in self.missing.items())

    def set_inputs(self, inputs: Sequence[Sequence[Any]]) -> None:
        """Set the arguments on which programs are run from now on."""
        self._inputs = [json.dumps(arguments) for arguments in inputs]
        try:
            _set_inputs(self._worker, self._inputs)
        except WorkerLostError:
            self._restart()

    def run(self, program: str, max_steps: int, num_inputs: int | None = None) -> ProgramRun:
        """Run a program that defines ``solve``, on all inputs or on a number of first ones.

        A call counts as a timeout after ``max_steps`` steps.
        """
        total = len(self._inputs)
        num_inputs = total if num_inputs is None else min(num_inputs, total)
        # A first loss may be due to the machine, which is short of memory for example.
        for _ in range(2):
            try:
                return _run(self._worker, program, max_steps, num_inputs)
            except WorkerLostError:
                self._restart()
        return ProgramRun((), stopped=DISRUPTIVE)

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self) -> WorkerProcess:
        settings = worker_settings(self.mode)
        # No other variables. The hash seed makes the iteration order of sets reproducible.
        environment = {"PYTHONHASHSEED": str(self._hash_seed)}
        worker = WorkerProcess(worker_command(self.mode), environment)
        try:
            answer = json.loads(_ask(worker, settings))
            if "error" in answer:
                raise IsolationUnavailableError(answer["error"])
            self._test(worker)
            _set_inputs(worker, self._inputs)
        except BaseException:
            worker.close()
            raise
        return worker

    def _test(self, worker: WorkerProcess) -> None:
        _set_inputs(worker, [json.dumps([SELF_TEST_INPUT])])
        run = _run(worker, SELF_TEST, 10**6, 1)
        if run.stopped is not None or run.outcomes[0].value != SELF_TEST_VALUE:
            raise IsolationUnavailableError(f"a harmless program failed in it: {run}")

    def _restart(self) -> None:
        self._worker.close(patience=0)
        try:
            self._worker = self._start()
        except (IsolationUnavailableError, WorkerLostError) as error:
            raise SandboxError(
                f"The process that runs candidate programs was lost, and cannot be restarted: "
                f"{error}. If the machine is short of memory, use fewer workers."
            ) from error


def _set_inputs(worker: WorkerProcess, inputs: list[str]) -> None:
    content = json.dumps(inputs).encode()
    _ask(worker, {"inputs": len(content)}, content)


def _run(worker: WorkerProcess, program: str, max_steps: int, num_inputs: int) -> ProgramRun:
    # What cannot be encoded is no Python either, which the process finds out.
    content = program.encode(errors="surrogatepass")
    request = {"program": len(content), "num_inputs": num_inputs, "max_steps": max_steps}
    return read_run(_ask(worker, request, content), num_inputs)


def _ask(worker: WorkerProcess, request: dict[str, Any], content: bytes = b"") -> bytes:
    return worker.ask(json.dumps(request).encode(), content, ANSWER_SECONDS, MAX_ANSWER_BYTES)


def read_run(content: bytes, num_inputs: int) -> ProgramRun:
    """Read the result of a program, which may have written anything in its place."""
    try:
        result = json.loads(content)
        if "stopped" in result:
            return ProgramRun((), stopped=str(result["stopped"])[:MAX_REASON_LENGTH])
        if len(result["outcomes"]) != num_inputs:
            return ProgramRun((), stopped=UNREADABLE)
        outcomes = tuple(_read_outcome(*outcome) for outcome in result["outcomes"])
        return ProgramRun(outcomes, int(result["steps"]))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return ProgramRun((), stopped=UNREADABLE)


def _read_outcome(kind: Any, text: Any) -> Outcome:
    if kind not in OUTCOME_KINDS or not isinstance(text, str) or len(text) > LONGEST_OUTPUT:
        raise ValueError(f"no outcome: {kind}")
    # It can be written to a file.
    text.encode()
    return Outcome(kind, text, json.loads(text) if kind == "value" else None)
