"""Rewrites of conditions, and of statements that depend on them."""

import ast
from collections.abc import Sequence

from nip.scenarios.code_validation.generation.rewrites.rewriting import (
    BlockRewriter,
    NodeRewriter,
    is_pure,
    leaves,
)

MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
}

OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}

OPPOSITE_OF_NUMBERS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
}


def negated(condition: ast.expr) -> ast.expr:
    """Return the negation of a condition, without ``not`` where an operator expresses it."""
    if isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not):
        return condition.operand
    if isinstance(condition, ast.Compare) and len(condition.ops) == 1:
        kind = type(condition.ops[0])
        sides = (condition.left, condition.comparators[0])
        # Negating an order is only valid for numbers: of two sets, neither need be a subset.
        table = OPPOSITE | OPPOSITE_OF_NUMBERS if any(map(_is_number, sides)) else OPPOSITE
        if kind in table:
            return ast.Compare(condition.left, [table[kind]()], condition.comparators)
    return ast.UnaryOp(ast.Not(), condition)


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "len"
    return isinstance(node, ast.BinOp) and (_is_number(node.left) or _is_number(node.right))


class MirrorComparisons(NodeRewriter):
    """``a < b`` becomes ``b > a``."""

    def _replace(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, ast.Compare):
            return node
        kind = type(node.ops[0])
        if len(node.ops) > 1 or kind not in MIRRORED:
            return node
        right = node.comparators[0]
        # `0 == number` would look odd.
        if isinstance(right, ast.Constant) or not (is_pure(node.left) and is_pure(right)):
            return node
        if not self.chance.strikes():
            return node
        return ast.Compare(right, [MIRRORED[kind]()], [node.left])


class SplitChains(NodeRewriter):
    """``a <= b < c`` becomes ``a <= b and b < c``."""

    def _replace(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, ast.Compare):
            return node
        operands = [node.left, *node.comparators]
        if len(node.ops) == 1 or not all(map(is_pure, operands)) or not self.chance.strikes():
            return node
        pairs = zip(operands, node.ops, operands[1:], strict=False)
        return ast.BoolOp(ast.And(), [ast.Compare(a, [op], [b]) for a, op, b in pairs])


class SwapBranches(NodeRewriter):
    """``if a: X else: Y`` becomes ``if not a: Y else: X``, also in expressions."""

    def _replace(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.If):
            is_chain = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
            if node.orelse and not is_chain and self.chance.strikes():
                return ast.If(negated(node.test), node.orelse, node.body)
        elif isinstance(node, ast.IfExp) and self.chance.strikes():
            return ast.IfExp(negated(node.test), node.orelse, node.body)
        return node


class NestConditions(NodeRewriter):
    """``if a and b:`` becomes ``if a:`` with ``if b:`` inside, or the reverse."""

    def _replace(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, ast.If) or node.orelse:
            return node
        inner = node.body[0]
        is_nested = isinstance(inner, ast.If) and len(node.body) == 1 and not inner.orelse
        if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.And):
            if self.chance.strikes():
                first, *others = node.test.values
                rest = others[0] if len(others) == 1 else ast.BoolOp(ast.And(), others)
                return ast.If(first, [ast.If(rest, node.body, [])], [])
        elif is_nested and self.chance.strikes():
            assert isinstance(inner, ast.If)
            return ast.If(ast.BoolOp(ast.And(), [node.test, inner.test]), inner.body, [])
        return node


class ElseAfterLeaving(BlockRewriter):
    """Moves the statements after an ``if`` that leaves into an ``else``, or the reverse."""

    def _rewrite(self, block: list[ast.stmt]) -> list[ast.stmt]:
        for index, statement in enumerate(block):
            if not isinstance(statement, ast.If) or not leaves(statement.body):
                continue
            before, after = block[:index], block[index + 1 :]
            if statement.orelse and not after and self.chance.strikes():
                return [*before, ast.If(statement.test, statement.body, []), *statement.orelse]
            # Function definitions must stay visible to the rest of the block.
            defines = any(isinstance(each, ast.FunctionDef) for each in after)
            is_open = after and not statement.orelse and not defines
            if is_open and self.chance.strikes():
                return [*before, ast.If(statement.test, statement.body, after)]
        return block


class ExpandConditionalExpressions(BlockRewriter):
    """``x = a if c else b`` becomes an ``if`` statement, and so does such a ``return``."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        if not isinstance(statement, ast.Assign | ast.Return):
            return [statement]
        value = statement.value
        if not isinstance(value, ast.IfExp) or not self.chance.strikes():
            return [statement]
        branches: list[list[ast.stmt]] = []
        for chosen in (value.body, value.orelse):
            if isinstance(statement, ast.Return):
                branches.append([ast.Return(chosen)])
            else:
                branches.append([ast.Assign(statement.targets, chosen)])
        return [ast.If(value.test, *branches)]


class JoinBranches(BlockRewriter):
    """Joins an ``if`` whose branches both assign the same name, or return, into one expression."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        if not isinstance(statement, ast.If):
            return [statement]
        joined = _joined(statement)
        return [joined] if joined is not None and self.chance.strikes() else [statement]


def _joined(statement: ast.If) -> ast.stmt | None:
    if not len(statement.body) == len(statement.orelse) == 1:
        return None
    one, other = statement.body[0], statement.orelse[0]
    if isinstance(one, ast.Assign) and isinstance(other, ast.Assign):
        is_same = list(map(ast.unparse, one.targets)) == list(map(ast.unparse, other.targets))
        value = ast.IfExp(statement.test, one.value, other.value)
        return ast.Assign(one.targets, value) if is_same else None
    if not isinstance(one, ast.Return) or not isinstance(other, ast.Return):
        return None
    if one.value is None or other.value is None:
        return None
    return ast.Return(ast.IfExp(statement.test, one.value, other.value))


class NameConditions(BlockRewriter):
    """Assigns a compound condition to a variable before the ``if``."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        if not isinstance(statement, ast.If) or not isinstance(statement.test, ast.BoolOp):
            return [statement]
        if not self.chance.strikes():
            return [statement]
        name = self.chance.new_name("condition", "holds", "matches", "check", "is_met")
        named = ast.Assign([ast.Name(name, ast.Store())], statement.test)
        return [named, ast.If(ast.Name(name, ast.Load()), statement.body, statement.orelse)]


class EmptinessTests(NodeRewriter):
    """``len(x) == 0`` becomes ``not x``."""

    def _replace(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, ast.Compare):
            return node
        right = node.comparators[0]
        is_len = (
            isinstance(node.left, ast.Call)
            and isinstance(node.left.func, ast.Name)
            and node.left.func.id == "len"
        )
        is_zero = isinstance(right, ast.Constant) and right.value == 0
        if is_len and is_zero and isinstance(node.ops[0], ast.Eq) and self.chance.strikes():
            assert isinstance(node.left, ast.Call)
            return ast.UnaryOp(ast.Not(), node.left.args[0])
        return node
