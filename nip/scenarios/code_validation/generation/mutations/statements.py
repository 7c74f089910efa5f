"""Mutations of statements and their order."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from nip.scenarios.code_validation.generation.mutations.mutation import (
    blocks,
    replaced,
    replaced_item,
)

SIMPLE = (ast.Assign, ast.AugAssign, ast.Expr)


def dropped_statement(node: ast.AST) -> Iterator[None]:
    """Forget a step."""
    for block in blocks(node):
        for index, statement in enumerate(block):
            if len(block) > 1 and isinstance(statement, ast.AugAssign | ast.Expr | ast.Assign):
                with replaced_item(block, index):
                    yield


def missing_guard(node: ast.AST) -> Iterator[None]:
    """Forget a special case: an ``if`` that does nothing but leave."""
    for block in blocks(node):
        for index, statement in enumerate(block):
            if not isinstance(statement, ast.If) or len(block) == 1:
                continue
            if not isinstance(statement.body[-1], ast.Return | ast.Continue | ast.Break):
                continue
            with replaced_item(block, index, *statement.orelse):
                yield


def forgotten_else(node: ast.AST) -> Iterator[None]:
    """Forget the ``else`` branch."""
    if isinstance(node, ast.If) and node.orelse:
        with replaced(node, orelse=[]):
            yield


def one_branch(node: ast.AST) -> Iterator[None]:
    """Do always what should be done on a condition only."""
    for block in blocks(node):
        for index, statement in enumerate(block):
            if not isinstance(statement, ast.If) or statement.orelse:
                continue
            if isinstance(statement.body[-1], SIMPLE):
                with replaced_item(block, index, *statement.body):
                    yield


def second_if(node: ast.AST) -> Iterator[None]:
    """Write ``if`` for ``elif``, so that two branches may be taken."""
    for block in blocks(node):
        for index, statement in enumerate(block):
            if isinstance(statement, ast.If) and len(statement.orelse) == 1:
                other = statement.orelse[0]
                if isinstance(other, ast.If):
                    first = ast.If(statement.test, statement.body, [])
                    with replaced_item(block, index, first, other):
                        yield


def early_return(node: ast.AST) -> Iterator[None]:
    """Return at the end of the first pass of a loop instead of after the loop."""
    for block in blocks(node):
        for index, (loop, following) in enumerate(pairwise(block)):
            if isinstance(loop, ast.For | ast.While) and isinstance(following, ast.Return):
                moved = replaced(loop, body=[*loop.body, following])
                with moved, replaced_item(block, index + 1):
                    yield


def jump(node: ast.AST) -> Iterator[None]:
    """Write ``break`` for ``continue``, or the reverse."""
    for block in blocks(node):
        for index, statement in enumerate(block):
            if isinstance(statement, ast.Break | ast.Continue):
                is_break = isinstance(statement, ast.Break)
                with replaced_item(block, index, ast.Continue() if is_break else ast.Break()):
                    yield


def overwritten(node: ast.AST) -> Iterator[None]:
    """Write ``x = y`` for ``x += y``."""
    for block in blocks(node):
        for index, statement in enumerate(block):
            if isinstance(statement, ast.AugAssign):
                with replaced_item(block, index, ast.Assign([statement.target], statement.value)):
                    yield


def order(node: ast.AST) -> Iterator[None]:
    """Do two steps in the wrong order."""
    for block in blocks(node):
        for index, (one, other) in enumerate(pairwise(block)):
            are_steps = isinstance(one, SIMPLE) and isinstance(other, (*SIMPLE, ast.If))
            if are_steps and _names(one) & _names(other):
                with replaced_item(block, index, other), replaced_item(block, index + 1, one):
                    yield


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def nesting(node: ast.AST) -> Iterator[None]:
    """Do a step inside a loop or condition instead of around it, or the reverse."""
    for block in blocks(node):
        for index, statement in enumerate(block):
            if not isinstance(statement, ast.For | ast.While | ast.If):
                continue
            body, last = statement.body, statement.body[-1]
            before = block[index - 1] if index else None
            after = block[index + 1] if index + 1 < len(block) else None
            if isinstance(after, SIMPLE):
                with replaced(statement, body=[*body, after]), replaced_item(block, index + 1):
                    yield
            if len(body) > 1 and isinstance(last, SIMPLE) and not statement.orelse:
                moved = replaced_item(block, index, statement, last)
                with replaced(statement, body=body[:-1]), moved:
                    yield
            if isinstance(before, ast.Assign) and not isinstance(statement, ast.If):
                with replaced(statement, body=[before, *body]), replaced_item(block, index - 1):
                    yield


def sequential_assignment(node: ast.AST) -> Iterator[None]:
    """Assign one after the other what should be assigned at the same time."""
    for block in blocks(node):
        for index, statement in enumerate(block):
            if single := _single_assignments(statement):
                with replaced_item(block, index, *single):
                    yield


def _single_assignments(statement: ast.stmt) -> list[ast.Assign]:
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return []
    target, value = statement.targets[0], statement.value
    if not isinstance(target, ast.Tuple) or not isinstance(value, ast.Tuple):
        return []
    if len(target.elts) != len(value.elts):
        return []
    pairs = zip(target.elts, value.elts, strict=True)
    return [ast.Assign([part], inner) for part, inner in pairs]
