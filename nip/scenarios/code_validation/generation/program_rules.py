"""Rules that a program from a language model must satisfy before it is run.

They reject early what no solution needs, and what later steps cannot handle. They are no
protection: there are ways to the same attributes that no rule on names finds. Programs are isolated
by the kernel; see ``sandbox``.
"""

import ast

from nip.scenarios.code_validation.problems.problem import ALLOWED_IMPORTS
from nip.utils.syntax_trees import parse

MAX_PROGRAM_LENGTH = 20_000

MAX_DEPTH = 100
"""Depth of the syntax tree. Deeper ones, which no solution has, may exceed Python's recursion limit
when they are written as a text again."""

FRAME_ATTRIBUTES = frozenset(
    (
        "gi_frame",
        "cr_frame",
        "ag_frame",
        "tb_frame",
        "f_back",
        "f_globals",
        "f_locals",
        "f_builtins",
    )
)
"""Attributes that give access to frames."""


def objection(program: str) -> str | None:
    """Return why a program is rejected, or None if it is accepted."""
    if len(program) > MAX_PROGRAM_LENGTH:
        return f"it has more than {MAX_PROGRAM_LENGTH} characters"
    try:
        tree = parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "it is not valid Python"
    if _depth(tree) > MAX_DEPTH:
        return f"it is nested more than {MAX_DEPTH} levels deep"
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if "solve" not in functions:
        return "it does not define the function solve"
    for node in ast.walk(tree):
        if reason := _objection_to(node):
            return reason
    return None


def _objection_to(node: ast.AST) -> str | None:
    if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
        return "it is asynchronous"
    if isinstance(node, ast.Import):
        foreign = [alias.name for alias in node.names if not _may_import(alias.name)]
        return f"it imports {foreign[0]}" if foreign else None
    if isinstance(node, ast.ImportFrom) and (node.level or not _may_import(node.module or "")):
        return f"it imports {node.module}"
    name = getattr(node, "attr", getattr(node, "id", ""))
    if name.startswith("__") or name in FRAME_ATTRIBUTES:
        return f"it uses {name}"
    return None


def _depth(tree: ast.AST) -> int:
    depth, level = 0, [tree]
    while level:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        depth += 1
    return depth


def _may_import(module: str) -> bool:
    return module.partition(".")[0] in ALLOWED_IMPORTS
