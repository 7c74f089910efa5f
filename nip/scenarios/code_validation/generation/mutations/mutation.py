"""The interface of mutations, with helpers for changing syntax trees.

A mutation is a generator function. Given a node of a syntax tree, it changes the node in place and
yields, once for each possible mistake there; when it is resumed, it undoes the change. So trees are
never copied, and converted to text only for the selected mistakes.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Mutation = Callable[[ast.AST], Iterator[None]]


@contextmanager
def replaced(node: ast.AST, **fields: Any) -> Iterator[None]:
    """Replace some fields of a node temporarily."""
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
    """Replace one item of a list by other items, or none, temporarily."""
    before = list(items)
    items[index : index + 1] = new
    try:
        yield
    finally:
        items[:] = before


def blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield the blocks of statements directly below a node."""
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        if isinstance(block, list) and block:
            yield block


def expressions(node: ast.AST) -> Iterator[tuple[Callable[[ast.expr], Any], ast.expr]]:
    """Yield the expressions directly below a node, each after a function that replaces it.

    The function takes the new expression and returns a context manager.
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
    """Return whether a node calls one of some functions, by its plain name."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def integer(node: ast.expr) -> int | None:
    """Return the value of an integer literal with its sign; None for any other expression."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = integer(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def written(value: int) -> ast.expr:
    """Build the literal of an integer with its sign."""
    if value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def shifted(node: ast.expr, by: int) -> ast.expr:
    """Add a number to an expression, simplified where it already adds a number."""
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
