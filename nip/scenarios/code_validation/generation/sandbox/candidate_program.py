"""A candidate program in the child process of the sandbox: its names, its steps, its outcomes.

Like ``worker``, which loads it, it imports only the standard library. What it withholds from
programs keeps them deterministic and gives the reason for stopping them in words. It is no
protection: programs escape from it by many ways, and ``worker`` expects that they do.
"""

import ast
import bisect
import builtins
import collections
import functools
import heapq
import itertools
import json
import math
import operator
import re
import string
import sys
import types
from typing import Any

MODULES = (bisect, collections, functools, heapq, itertools, math, operator, re, string)

HARMLESS_EVENTS = frozenset(
    (
        *("builtins.id", "object.__getattr__", "object.__setattr__", "object.__delattr__"),
        # Needed by `collections.namedtuple`.
        *("compile", "exec", "sys._getframe", "sys._getframemodulename"),
    )
)
"""Audit events that a program may cause. All others are refused, which gives the reason in words;
it is no protection, because a program that escapes from its function can change this set."""

WITHHELD_BUILTINS = (
    *("breakpoint", "compile", "copyright", "credits", "delattr", "eval", "exec", "exit"),
    *("globals", "help", "input", "license", "locals", "open", "quit", "setattr"),
    "vars",
)

LONGEST_OUTPUT = 20_000
HOPELESS_AFTER = 12
"""Number of inputs without any value after which a program is stopped."""


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
    """Call a program once; return the kind of its outcome, and its value or error as text.

    Raises ``MemoryError`` if it needs too much memory.
    """
    try:
        value = solve(*arguments)
    except MemoryError:
        # A text of it would need memory, which the frames of the traceback still hold.
        raise
    except Exception as error:
        # Addresses in messages differ between runs.
        message = re.sub(r"0x[0-9a-fA-F]+", "0x", str(error))[:200]
        return "exception", f"{type(error).__name__}: {message}"
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
    """Run a program on all inputs, in the child process; raise MemoryError if it needs too much."""
    steps = Steps(max_steps)
    names = program_globals(steps)
    try:
        tree = ast.fix_missing_locations(StepCounter().visit(ast.parse(program)))
        exec(compile(tree, "program", "exec"), names)
        solve = names["solve"]
    except MemoryError:
        raise
    except (Exception, StepLimitReachedError) as error:
        return {"stopped": f"it cannot be loaded: {type(error).__name__}: {error}"}
    outcomes, most_steps = [], steps.restart()
    for text in inputs:
        outcomes.append(call(solve, json.loads(text)))
        most_steps = max(most_steps, steps.restart())
        if len(outcomes) == HOPELESS_AFTER and all(kind != "value" for kind, _ in outcomes):
            return {"stopped": "it answers nothing"}
    return {"outcomes": outcomes, "steps": most_steps}


def run_audited(program: str, inputs: list[str], max_steps: int) -> dict[str, Any]:
    """Run a program on all inputs, until it causes an audit event that is refused."""
    sys.addaudithook(refuse_events)
    try:
        return run_program(program, inputs, max_steps)
    except RefusedError as refusal:
        return {"stopped": f"it is not allowed: {refusal}"}
