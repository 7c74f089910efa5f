"""The process that runs candidate programs, each in an isolated child process.

It is started by path and imports only the standard library, so that forking it is cheap and a
candidate has access neither to the package, nor to other libraries, nor to the expected outputs. It
reads one JSON request per line from standard input and writes one answer per line:

* ``{"inputs": [...]}`` stores the JSON texts of the arguments to run programs on; answer ``{}``.
* ``{"program", "num_inputs", "max_steps"}`` runs a program; answer
  ``{"outcomes": [[kind, text], ...], "steps"}`` or ``{"stopped": reason}``.
"""

import ast
import bisect
import builtins
import collections
import contextlib
import ctypes
import functools
import gc
import heapq
import itertools
import json
import math
import operator
import os
import re
import resource
import select
import signal
import string
import sys
import time
import types
from typing import Any, NoReturn

MODULES = (bisect, collections, functools, heapq, itertools, math, operator, re, string)

HARMLESS_EVENTS = frozenset(
    (
        *("builtins.id", "object.__getattr__", "object.__setattr__", "object.__delattr__"),
        # Needed by `collections.namedtuple`.
        *("compile", "exec", "sys._getframe", "sys._getframemodulename"),
    )
)
"""Audit events that a program may cause; all others are refused."""

WITHHELD_BUILTINS = (
    *("breakpoint", "compile", "copyright", "credits", "delattr", "eval", "exec", "exit"),
    *("globals", "help", "input", "license", "locals", "open", "quit", "setattr"),
    "vars",
)

CPU_SECONDS = 3
WALL_SECONDS = 60
MEMORY_BYTES = 512 * 2**20
LONGEST_OUTPUT = 20_000
HOPELESS_AFTER = 12
"""Number of inputs without any value after which a program is stopped."""

MOST_DESCRIPTORS = 64
"""Upper bound of the file descriptors that this process has open."""

NOT_AUDITED = ("mkfifo", "mknod")
"""Functions of ``os`` that create files without an audit event."""

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


class StepLimitReachedError(BaseException):
    """A program exceeded its number of steps; no Exception, so that it cannot be caught as one."""


class RefusedError(BaseException):
    """A program tried something forbidden."""


class StepCounter(ast.NodeTransformer):
    """Instruments a program to count a step in each loop iteration and function call."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Insert a call of ``__step__`` at the start of each step."""
        super().generic_visit(node)
        if isinstance(node, ast.For | ast.While | ast.FunctionDef):
            node.body.insert(0, ast.Expr(_step()))
        elif isinstance(node, ast.comprehension):
            node.ifs.insert(0, _step())
        return node


def _step() -> ast.Call:
    return ast.Call(ast.Name("__step__", ast.Load()), [], [])


class Steps:
    """Counts the steps of a program and stops it after too many."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit

    def take(self) -> bool:
        """Count one step; return True, so that it can be a condition of a comprehension."""
        self.left -= 1
        if self.left < 0:
            raise StepLimitReachedError
        return True

    def restart(self) -> int:
        """Reset the counter for the next call; return the steps of the last one."""
        taken, self.left = self.limit - self.left, self.limit
        return taken


def public_part(module: types.ModuleType) -> types.ModuleType:
    """Copy a module without its imported modules, which would give access to all others."""
    copy = types.ModuleType(module.__name__)
    for name in getattr(module, "__all__", dir(module)):
        value = getattr(module, name)
        if not name.startswith("_") and not isinstance(value, types.ModuleType):
            setattr(copy, name, value)
    return copy


def importable_modules() -> dict[str, types.ModuleType]:
    """Copy the modules that programs may import."""
    found = {module.__name__: public_part(module) for module in (*MODULES, collections.abc)}
    found["collections"].abc = found["collections.abc"]  # type: ignore[attr-defined]
    return found


IMPORTABLE = importable_modules()


def restricted_import(
    name: str, _globals: object = None, _locals: object = None, wanted: object = (), level: int = 0
) -> Any:
    """Import one of the allowed modules."""
    if name not in IMPORTABLE or level:
        raise RefusedError(f"import of {name}")
    return IMPORTABLE[name if wanted else name.partition(".")[0]]


def refuse_events(event: str, _: tuple[Any, ...]) -> None:
    """Refuse all audit events (files, processes, sockets, ...) except the harmless ones."""
    if event not in HARMLESS_EVENTS:
        raise RefusedError(event)


def program_globals(steps: Steps) -> dict[str, Any]:
    """Build the global names of a program."""
    known = {name: value for name, value in vars(builtins).items() if name not in WITHHELD_BUILTINS}
    known["__import__"] = restricted_import
    known["print"] = lambda *_, **__: None
    return {"__builtins__": known, "__name__": "program", "__step__": steps.take}


def plain(value: Any) -> Any:
    """Convert a value to JSON types, tuples to lists; raise TypeError for any other type."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return {key: plain(item) for key, item in value.items()}
    raise TypeError(type(value).__name__)


def call(solve: Any, arguments: Any) -> tuple[str, str]:
    """Call a program once; return the kind of its outcome, and its value or error as text."""
    try:
        value = solve(*arguments)
    except Exception as error:
        # Addresses in messages differ between runs.
        message = re.sub(r"0x[0-9a-fA-F]+", "0x", str(error))[:200]
        name = type(error).__name__
        return ("memory" if name == "MemoryError" else "exception"), f"{name}: {message}"
    except StepLimitReachedError:
        return "timeout", ""
    try:
        text = json.dumps(plain(value), ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        return "strange", f"<{type(value).__name__}>"
    if len(text) > LONGEST_OUTPUT:
        return "strange", f"<{type(value).__name__} of {len(text)} characters>"
    return "value", text


def run_program(program: str, inputs: list[str], max_steps: int) -> dict[str, Any]:
    """Run a program on all inputs, in the child process."""
    steps = Steps(max_steps)
    names = program_globals(steps)
    try:
        tree = ast.fix_missing_locations(StepCounter().visit(ast.parse(program)))
        exec(compile(tree, "program", "exec"), names)
        solve = names["solve"]
    except (Exception, StepLimitReachedError) as error:
        return {"stopped": f"it cannot be loaded: {type(error).__name__}: {error}"}
    outcomes, most_steps = [], steps.restart()
    for text in inputs:
        outcomes.append(call(solve, json.loads(text)))
        most_steps = max(most_steps, steps.restart())
        if outcomes[-1][0] == "memory":
            return {"stopped": "it needs too much memory"}
        if len(outcomes) == HOPELESS_AFTER and all(kind != "value" for kind, _ in outcomes):
            return {"stopped": "it answers nothing"}
    return {"outcomes": outcomes, "steps": most_steps}


def limit_resources() -> None:
    """Limit the resources of this process; limits unknown to the system are skipped."""
    limits = {
        "RLIMIT_AS": MEMORY_BYTES,
        "RLIMIT_CPU": math.ceil(CPU_SECONDS),
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 0,
        "RLIMIT_NPROC": 0,
    }
    for name, limit in limits.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (limit, limit))
    # The default action of these signals ends the process, even within one long operation.
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)


def keep_only(descriptor: int) -> None:
    """Close all files except one, and remove functions that create files without audit events."""
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, MOST_DESCRIPTORS)
    for module in (os, sys.modules["posix"]):
        for name in NOT_AUDITED:
            vars(module).pop(name, None)


def be_child(writing_end: int, program: str, inputs: list[str], max_steps: int) -> NoReturn:
    """Run a program in the child process, write its result, and exit."""
    try:
        os.dup2(0, 2)
        keep_only(writing_end)
        limit_resources()
        sys.addaudithook(refuse_events)
        try:
            result = run_program(program, inputs, max_steps)
        except RefusedError as refusal:
            result = {"stopped": f"it is not allowed: {refusal}"}
        content = json.dumps(result).encode()
        while content:
            content = content[os.write(writing_end, content) :]
    finally:
        os._exit(0)


def run_in_child(program: str, inputs: list[str], max_steps: int) -> dict[str, Any]:
    """Fork a child process for a program and wait for its result, with a time limit."""
    reading_end, writing_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading_end)
        be_child(writing_end, program, inputs, max_steps)
    os.close(writing_end)
    content = _read_all(reading_end, time.monotonic() + WALL_SECONDS)
    os.close(reading_end)
    # The result has been read, so nothing is lost.
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    try:
        return dict(json.loads(content))
    except ValueError:
        return {"stopped": "it was ended: too much time or memory"}


def _read_all(descriptor: int, deadline: float) -> bytes:
    parts = []
    while (left := deadline - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            part = os.read(descriptor, 1 << 16)
            if not part:
                break
            parts.append(part)
    return b"".join(parts)


def leave_the_network() -> bool:
    """Move this process to an empty network namespace; return whether the system allowed it."""
    unshare = getattr(ctypes.CDLL(None), "unshare", None)
    if unshare is None:
        return False
    return unshare(CLONE_NEWNET) == 0 or unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0


def main() -> None:
    """Serve requests until standard input is closed."""
    # Candidates inherit open files, so standard input and output are redirected to nothing.
    answers = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    has_left = leave_the_network()
    for name in ("ctypes", "_ctypes"):
        sys.modules.pop(name, None)
    requests = os.dup(0)
    os.dup2(nothing, 0)
    gc.disable()
    gc.freeze()
    serve(requests, answers, has_left)


def serve(requests: int, answers: int, has_left_the_network: bool) -> None:
    """Answer one request after the other."""
    inputs: list[str] = []
    with os.fdopen(requests, encoding="utf-8") as source, os.fdopen(answers, "wb", 0) as sink:
        sink.write(json.dumps({"has_left_the_network": has_left_the_network}).encode() + b"\n")
        for line in source:
            request = json.loads(line)
            answer: dict[str, Any] = {}
            if "inputs" in request:
                inputs = request["inputs"]
            else:
                chosen = inputs[: request["num_inputs"]]
                answer = run_in_child(request["program"], chosen, request["max_steps"])
            sink.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
