"""Mutation that confuses variables of the same kind."""

import ast
from collections.abc import Iterator

from nip.scenarios.code_validation.generation.mutations.mutation import is_call_of, replaced


def wrong_variable(function: ast.AST) -> Iterator[None]:
    """Use another variable of the function that appears to hold the same kind of value."""
    if not isinstance(function, ast.FunctionDef):
        return
    numbers = _numbers(function)
    others = [name for name in _variables(function) if name not in numbers]
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            for group in (numbers, others):
                if node.id in group:
                    yield from _replacements(node, group)


def _replacements(node: ast.Name, group: list[str]) -> Iterator[None]:
    for name in group:
        if name != node.id:
            with replaced(node, id=name):
                yield


def _variables(function: ast.FunctionDef) -> list[str]:
    """Return the arguments and variables of a function, in order of occurrence."""
    found = {argument.arg: None for argument in function.args.args}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found[node.id] = None
    return [name for name in found if name != "_"]


def _numbers(function: ast.FunctionDef) -> list[str]:
    """Return the variables that certainly hold integers."""
    found: dict[str, None] = {}
    for node in ast.walk(function):
        for target in _number_targets(node):
            if isinstance(target, ast.Name):
                found[target.id] = None
    return list(found)


def _number_targets(node: ast.AST) -> list[ast.expr]:
    """Return the targets to which a node assigns an integer."""
    if isinstance(node, ast.Assign) and _is_number(node.value):
        return node.targets
    if isinstance(node, ast.AugAssign) and _is_number(node.value):
        return [node.target]
    if isinstance(node, ast.For | ast.comprehension):
        if is_call_of(node.iter, ("range",)):
            return [node.target]
        if is_call_of(node.iter, ("enumerate",)) and isinstance(node.target, ast.Tuple):
            return node.target.elts[:1]
    return []


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) or _is_number(node.right)
    return is_call_of(node, ("len", "int", "sum", "ord", "abs"))
