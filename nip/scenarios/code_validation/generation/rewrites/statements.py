"""Rewrites of assignments, returns and arithmetic."""

import ast
from collections.abc import Sequence

from nip.scenarios.code_validation.generation.rewrites.rewriting import (
    BlockRewriter,
    NodeRewriter,
    assign,
    is_pure,
    load,
    loaded_names,
    stored_names,
)


class ExpandAugmentedAssignments(BlockRewriter):
    """``x += y`` becomes ``x = x + y``."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        if not isinstance(statement, ast.AugAssign) or not isinstance(statement.target, ast.Name):
            return [statement]
        value = statement.value
        may_be_list = isinstance(value, ast.List | ast.ListComp | ast.Subscript | ast.Tuple)
        if may_be_list or not self.chance.strikes():
            return [statement]
        name = statement.target.id
        return [assign(name, ast.BinOp(load(name), statement.op, value))]


class ContractAssignments(BlockRewriter):
    """``x = x + 1`` becomes ``x += 1``."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.BinOp):
            return [statement]
        target, left = statement.targets[0], statement.value.left
        is_same = (
            isinstance(target, ast.Name) and isinstance(left, ast.Name) and target.id == left.id
        )
        if not is_same or not isinstance(statement.value.right, ast.Constant):
            return [statement]
        if not self.chance.strikes():
            return [statement]
        assert isinstance(target, ast.Name)
        return [ast.AugAssign(target, statement.value.op, statement.value.right)]


class NameReturnValues(BlockRewriter):
    """Assigns a return value to a variable first."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        value = statement.value if isinstance(statement, ast.Return) else None
        if value is None or isinstance(value, ast.Name | ast.Constant | ast.List):
            return [statement]
        if not self.chance.strikes():
            return [statement]
        name = self.chance.new_name("answer", "result", "output", "value", "outcome")
        return [assign(name, value), ast.Return(load(name))]


class NameArguments(BlockRewriter):
    """Assigns a call in the argument of another call to a variable first."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        value = getattr(statement, "value", None)
        if not isinstance(statement, ast.Assign | ast.Return) or not isinstance(value, ast.Call):
            return [statement]
        if not value.args or not isinstance(value.args[0], ast.Call):
            return [statement]
        if not isinstance(value.func, ast.Name) or not self.chance.strikes():
            return [statement]
        name = self.chance.new_name("part", "inner", "given", "temp", "tmp")
        before = assign(name, value.args[0])
        value.args[0] = load(name)
        return [before, statement]


class SplitTuples(BlockRewriter):
    """``a, b = x, y`` becomes two assignments where the second does not depend on the first."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            return [statement]
        target, value = statement.targets[0], statement.value
        if not isinstance(target, ast.Tuple) or not isinstance(value, ast.Tuple):
            return [statement]
        names = all(isinstance(part, ast.Name) for part in target.elts)
        if not names or len(target.elts) != len(value.elts):
            return [statement]
        is_apart = not stored_names(target) & loaded_names(value)
        if not is_apart or not all(map(is_pure, value.elts)) or not self.chance.strikes():
            return [statement]
        pairs = zip(target.elts, value.elts, strict=True)
        return [ast.Assign([part], inner) for part, inner in pairs]


class JoinAssignments(BlockRewriter):
    """Joins two adjacent assignments of constants into one of a tuple, or swaps them."""

    def _rewrite(self, block: list[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for statement in block:
            last = result[-1] if result else None
            if _is_constant(last) and _is_constant(statement) and self.chance.strikes():
                assert isinstance(last, ast.Assign) and isinstance(statement, ast.Assign)
                result.pop()
                if last.targets[0].id == statement.targets[0].id:  # type: ignore[attr-defined]
                    result += [last, statement]
                elif self.chance.generator.random() < 0.5:
                    result += [statement, last]
                else:
                    target = ast.Tuple([*last.targets, *statement.targets], ast.Store())
                    value = ast.Tuple([last.value, statement.value], ast.Load())
                    result.append(ast.Assign([target], value))
            else:
                result.append(statement)
        return result


def _is_constant(statement: ast.stmt | None) -> bool:
    """Return whether a statement gives one name a value that needs no other."""
    return (
        isinstance(statement, ast.Assign)
        and len(statement.targets) == 1
        and isinstance(statement.targets[0], ast.Name)
        and (
            isinstance(statement.value, ast.Constant)
            or (isinstance(statement.value, ast.List) and not statement.value.elts)
        )
    )


class TurnSumsAndProducts(NodeRewriter):
    """``x + 1`` becomes ``1 + x``, and ``x * 2`` becomes ``2 * x``."""

    def _replace(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, ast.BinOp):
            return node
        is_turnable = isinstance(node.op, ast.Add | ast.Mult)
        sides = [node.left, node.right]
        has_number = any(isinstance(s, ast.Constant) and type(s.value) is int for s in sides)
        if is_turnable and has_number and all(map(is_pure, sides)) and self.chance.strikes():
            node.left, node.right = node.right, node.left
        return node


class WriteSquaresOut(NodeRewriter):
    """``x ** 2`` becomes ``x * x``."""

    def _replace(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, ast.BinOp):
            return node
        is_two = isinstance(node.right, ast.Constant) and node.right.value == 2
        if isinstance(node.op, ast.Pow) and is_two and is_pure(node.left) and self.chance.strikes():
            return ast.BinOp(node.left, ast.Mult(), node.left)
        return node
