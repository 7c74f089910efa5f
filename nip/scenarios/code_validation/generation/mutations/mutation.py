"""What a mutation is, and what helps to find its places.

A mutation is a generator function. Given a node of a syntax tree, it changes the node in place and
yields, once for each way of being wrong there; when it goes on, it undoes the change. So a tree is
copied for no mutation, and written as text only for those that are wanted.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Mutation = Callable[[ast.AST], Iterator[None]]


@contextmanager
def replaced(node: ast.AST, **fields: Any) -> Iterator[None]:
    """Give some fields of a node other values for a while."""
    before = {name: getattr(node, name) for name in fields}
    for name, value in fields.items():
        setattr(node, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(node, name, value)


@contextmanager
def replaced_item(items: list[Any], index: int, *new: Any) -> Iterator[None]:
    """Put other items, or none, in the place of one item of a list for a while."""
    before = list(items)
    items[index : index + 1] = new
    try:
        yield
    finally:
        items[:] = before


def blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Go through the blocks of statements that belong to a node directly."""
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        if isinstance(block, list) and block:
            yield block


def expressions(node: ast.AST) -> Iterator[tuple[Callable[[ast.expr], Any], ast.expr]]:
    """Go through the expressions that belong to a node directly, each with a way to replace it.

    The way is a context manager that takes the new expression.
    """
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            yield _field_replacer(node, field), value
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.expr):
                    yield _item_replacer(value, index), item


def _field_replacer(node: ast.AST, field: str) -> Callable[[ast.expr], Any]:
    return lambda new: replaced(node, **{field: new})


def _item_replacer(items: list[Any], index: int) -> Callable[[ast.expr], Any]:
    return lambda new: replaced_item(items, index, new)


def is_call_of(node: ast.AST, names: Sequence[str]) -> bool:
    """Tell whether a node calls one of some functions, by its plain name."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def integer(node: ast.expr) -> int | None:
    """Return the integer that is written in a program, with its sign; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = integer(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def written(value: int) -> ast.expr:
    """Write an integer, with its sign."""
    if value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def shifted(node: ast.expr, by: int) -> ast.expr:
    """Return an expression that is more by a number, written as a person would."""
    if (value := integer(node)) is not None:
        return written(value + by)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        sign = 1 if isinstance(node.op, ast.Add) else -1
        if (value := integer(node.right)) is not None:
            return _sum(node.left, sign * value + by)
        if sign == 1 and (value := integer(node.left)) is not None:
            return _sum(node.right, value + by)
    return _sum(node, by)


def _sum(node: ast.expr, number: int) -> ast.expr:
    if number == 0:
        return node
    operator = ast.Add() if number > 0 else ast.Sub()
    return ast.BinOp(node, operator, ast.Constant(abs(number)))
