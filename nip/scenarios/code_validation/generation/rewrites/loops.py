"""Rewrites of loops and comprehensions."""

import ast
from collections.abc import Sequence

from nip.scenarios.code_validation.generation.rewrites.conditions import negated
from nip.scenarios.code_validation.generation.rewrites.rewriting import (
    BlockRewriter,
    NodeRewriter,
    assign,
    call,
    jumps,
    load,
    loaded_names,
    stored_names,
)


class FunctionRewriter(BlockRewriter):
    """Base class of rewrites of blocks that depend on the surrounding function."""

    function: ast.AST = ast.Module([], [])

    def visit(self, node: ast.AST) -> ast.AST:
        """Rewrite all blocks within a node, while tracking the innermost function."""
        if not isinstance(node, ast.FunctionDef):
            return super().visit(node)
        outer, self.function = self.function, node
        super().visit(node)
        self.function = outer
        return node

    def is_used_outside(self, name: str, loop: ast.AST) -> bool:
        """Return whether a name occurs in the function anywhere but within a loop."""
        return _occurrences(name, self.function) > _occurrences(name, loop)


def _occurrences(name: str, node: ast.AST) -> int:
    return sum(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


class RangeLoopsToWhile(FunctionRewriter):
    """``for i in range(a, b):`` becomes a ``while`` loop."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        if not isinstance(statement, ast.For) or statement.orelse:
            return [statement]
        bounds, target = _range_bounds(statement.iter), statement.target
        if bounds is None or not isinstance(target, ast.Name):
            return [statement]
        is_free = not self.is_used_outside(target.id, statement)
        is_kept = target.id not in stored_names(*statement.body)
        if not (is_free and is_kept) or jumps(statement.body, ast.Continue):
            return [statement]
        if not self.chance.strikes():
            return [statement]
        start, stop = bounds
        before: list[ast.stmt] = [assign(target.id, start)]
        if not isinstance(stop, ast.Constant):
            end = self.chance.new_name("end", "limit", "stop", "bound", "last")
            before.append(assign(end, stop))
            stop = load(end)
        step = ast.AugAssign(ast.Name(target.id, ast.Store()), ast.Add(), ast.Constant(1))
        condition = ast.Compare(load(target.id), [ast.Lt()], [stop])
        return [*before, ast.While(condition, [*statement.body, step], [])]


def _range_bounds(node: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return None
    if node.func.id != "range" or len(node.args) > 2:
        return None
    first, *others = node.args
    return (first, others[0]) if others else (ast.Constant(0), first)


class LoopsByIndex(FunctionRewriter):
    """``for x in values:`` becomes a loop over the indices of the values."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        if not isinstance(statement, ast.For) or not isinstance(statement.iter, ast.Name):
            return [statement]
        values = statement.iter.id
        # The loop might change the length of the values.
        is_touched = _occurrences(values, statement) > 1
        if is_touched or not self._is_sequence(values) or not self.chance.strikes():
            return [statement]
        index = self.chance.new_name("i", "j", "k", "index", "pos", "idx")
        item = ast.Subscript(load(values), load(index), ast.Load())
        first = ast.Assign([statement.target], item)
        positions = call("range", call("len", load(values)))
        target = ast.Name(index, ast.Store())
        return [ast.For(target, positions, [first, *statement.body], statement.orelse)]

    def _is_sequence(self, name: str) -> bool:
        """Return whether a name stands for an argument or a list, and so for nothing unordered."""
        if not isinstance(self.function, ast.FunctionDef):
            return False
        given = [
            node.value
            for node in ast.walk(self.function)
            if isinstance(node, ast.Assign)
            and any(name in stored_names(target) for target in node.targets)
        ]
        is_argument = any(argument.arg == name for argument in self.function.args.args)
        return (is_argument or bool(given)) and all(map(_is_list, given))


def _is_list(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("list", "sorted")
    return isinstance(node, ast.List | ast.ListComp)


class EndlessLoops(NodeRewriter):
    """``while condition:`` becomes ``while True:`` with a ``break``."""

    def _replace(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, ast.While):
            return node
        if isinstance(node.test, ast.Constant) or node.orelse or not self.chance.strikes():
            return node
        leave = ast.If(negated(node.test), [ast.Break()], [])
        return ast.While(ast.Constant(True), [leave, *node.body], [])


class ComprehensionsToLoops(FunctionRewriter):
    """A list comprehension, or ``sum``, ``any`` or ``all``, becomes a loop of statements."""

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        if not isinstance(statement, ast.Assign | ast.Return) or statement.value is None:
            return [statement]
        found = _comprehension(statement.value)
        if found is None:
            return [statement]
        kind, inner = found
        targets = stored_names(*(part.target for part in inner.generators))
        outside = any(self.is_used_outside(name, inner) for name in sorted(targets))
        if outside or not self.chance.strikes():
            return [statement]
        name = self.chance.new_name(*_NAMES_OF_RESULTS[kind])
        start, step = _accumulation(kind, name, inner.elt)
        body: list[ast.stmt] = step
        for part in reversed(inner.generators):
            for condition in reversed(part.ifs):
                body = [ast.If(condition, body, [])]
            body = [ast.For(part.target, part.iter, body, [])]
        statement.value = load(name)
        return [assign(name, start), *body, statement]


_NAMES_OF_RESULTS = {
    "list": ("found", "values", "items", "collected"),
    "sum": ("total", "amount", "summed"),
    "any": ("found", "exists", "has_any"),
    "all": ("fine", "all_fine", "holds"),
}


def _comprehension(value: ast.expr) -> tuple[str, ast.ListComp | ast.GeneratorExp] | None:
    if isinstance(value, ast.ListComp):
        return "list", value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and len(value.args) == 1:
        inner = value.args[0]
        is_known = value.func.id in ("sum", "any", "all") and not value.keywords
        if is_known and isinstance(inner, ast.GeneratorExp):
            return value.func.id, inner
    return None


def _accumulation(kind: str, name: str, element: ast.expr) -> tuple[ast.expr, list[ast.stmt]]:
    """Return the initial value, and the statements for each element."""
    if kind == "list":
        append = ast.Attribute(load(name), "append", ast.Load())
        return ast.List([], ast.Load()), [ast.Expr(ast.Call(append, [element], []))]
    if kind == "sum":
        return ast.Constant(0), [ast.AugAssign(ast.Name(name, ast.Store()), ast.Add(), element)]
    if kind == "any":
        return ast.Constant(False), [ast.If(element, [assign(name, ast.Constant(True))], [])]
    changed = [assign(name, ast.Constant(False))]
    return ast.Constant(True), [ast.If(negated(element), list[ast.stmt](changed), [])]


class LoopsToComprehensions(FunctionRewriter):
    """A loop that only appends to an empty list becomes a comprehension."""

    def _rewrite(self, block: list[ast.stmt]) -> list[ast.stmt]:
        for index in range(len(block) - 1):
            value = self._joined(block[index], block[index + 1])
            if value is not None and self.chance.strikes():
                first = block[index]
                assert isinstance(first, ast.Assign)
                joined = ast.Assign(first.targets, value)
                return [*block[:index], joined, *block[index + 2 :]]
        return block

    def _joined(self, first: ast.stmt, loop: ast.stmt) -> ast.ListComp | None:
        if not isinstance(first, ast.Assign) or not isinstance(first.value, ast.List):
            return None
        target = first.targets[0]
        if first.value.elts or not isinstance(target, ast.Name):
            return None
        if not isinstance(loop, ast.For) or loop.orelse or len(loop.body) != 1:
            return None
        inner, conditions = loop.body[0], []
        if isinstance(inner, ast.If) and not inner.orelse and len(inner.body) == 1:
            conditions, inner = [inner.test], inner.body[0]
        element = _appended(inner, target.id)
        if element is None or target.id in loaded_names(element, loop.iter, *conditions):
            return None
        names = sorted(stored_names(loop.target))
        if any(self.is_used_outside(name, loop) for name in names):
            return None
        return ast.ListComp(element, [ast.comprehension(loop.target, loop.iter, conditions, 0)])


def _appended(statement: ast.stmt, name: str) -> ast.expr | None:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return None
    function = statement.value.func
    is_append = (
        isinstance(function, ast.Attribute)
        and function.attr == "append"
        and isinstance(function.value, ast.Name)
        and function.value.id == name
    )
    return statement.value.args[0] if is_append else None
