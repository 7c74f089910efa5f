"""Base classes of rewrites, with helpers for random choices, new names and syntax trees."""

import ast
import builtins
import keyword
import random
from collections.abc import Callable, Sequence

BUILTIN_NAMES = frozenset(dir(builtins))


class Chance:
    """Draws the places of a rewrite, a share of those possible, and finds unused names."""

    def __init__(self, generator: random.Random, share: float, tree: ast.AST) -> None:
        self.generator = generator
        self.share = share
        self._taken = names_in(tree)

    def strikes(self) -> bool:
        """Draw whether to rewrite a place."""
        return self.generator.random() < self.share

    def new_name(self, *candidates: str) -> str:
        """Return an unused name: one of the candidates, or one of them with a number."""
        order = self.generator.sample(candidates, len(candidates))
        numbered = [f"{order[0]}{number}" for number in range(2, 100)]
        name = next(name for name in (*order, *numbered) if self.is_free(name))
        self._taken.add(name)
        return name

    def is_free(self, name: str) -> bool:
        """Return whether a name is unused and allowed."""
        return not (name in self._taken or name in BUILTIN_NAMES or keyword.iskeyword(name))


class NodeRewriter(ast.NodeTransformer):
    """Base class of rewrites of single nodes at random places, innermost first."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance

    def visit(self, node: ast.AST) -> ast.AST:
        """Rewrite the children of a node, then the node."""
        return self._replace(self.generic_visit(node))

    def _replace(self, node: ast.AST) -> ast.AST:
        """Return the replacement of a node."""
        raise NotImplementedError


class BlockRewriter(ast.NodeTransformer):
    """Base class of rewrites of blocks of statements at random places, innermost first."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance

    def visit(self, node: ast.AST) -> ast.AST:
        """Rewrite all blocks within a node."""
        self.generic_visit(node)
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if isinstance(block, list) and block:
                setattr(node, field, self._rewrite(block))
        return node

    def _rewrite(self, block: list[ast.stmt]) -> list[ast.stmt]:
        """Return the replacement of a block; by default each statement is replaced separately."""
        return [new for statement in block for new in self._replace(statement)]

    def _replace(self, statement: ast.stmt) -> Sequence[ast.stmt]:
        """Return the replacement of a statement."""
        return [statement]


Rewrite = Callable[[Chance], ast.NodeTransformer]


def names_in(tree: ast.AST) -> set[str]:
    """Return all names that occur in a program in any role."""
    found: set[str] = set()
    for node in ast.walk(tree):
        for field in ("id", "arg", "name", "asname", "attr"):
            if isinstance(name := getattr(node, field, None), str):
                found.add(name)
    return found


def stored_names(*nodes: ast.AST) -> set[str]:
    """Return the names that are assigned within some nodes."""
    return {
        inner.id
        for node in nodes
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load)
    }


def loaded_names(*nodes: ast.AST) -> set[str]:
    """Return the names that are read within some nodes."""
    return {
        inner.id
        for node in nodes
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load)
    }


PURE_FUNCTIONS = frozenset(("abs", "int", "len", "max", "min", "ord", "str", "sum"))


def is_pure(node: ast.expr) -> bool:
    """Return whether an expression certainly has no side effects, so that it can be moved."""
    if isinstance(node, ast.Call):
        is_known = isinstance(node.func, ast.Name) and node.func.id in PURE_FUNCTIONS
        return is_known and not node.keywords and all(map(is_pure, node.args))
    if isinstance(node, ast.Name | ast.Constant):
        return True
    allowed = (ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Slice, ast.Compare, ast.BoolOp)
    allowed += (ast.Tuple, ast.List, ast.Set)  # type: ignore[assignment]
    children = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return isinstance(node, allowed) and all(map(is_pure, children))


def leaves(block: Sequence[ast.stmt]) -> bool:
    """Return whether a block ends with a return, continue, break or raise."""
    return isinstance(block[-1], ast.Return | ast.Continue | ast.Break | ast.Raise)


def jumps(block: Sequence[ast.stmt], kind: type[ast.Break] | type[ast.Continue]) -> bool:
    """Return whether a block contains a break, or a continue, of the loop around it."""
    for statement in block:
        if isinstance(statement, kind):
            return True
        if isinstance(statement, ast.If) and (
            jumps(statement.body, kind) or jumps(statement.orelse, kind)
        ):
            return True
        if isinstance(statement, ast.For | ast.While) and jumps(statement.orelse, kind):
            return True
    return False


def load(name: str) -> ast.Name:
    """Build a node that reads a name."""
    return ast.Name(name, ast.Load())


def assign(name: str, value: ast.expr) -> ast.Assign:
    """Build an assignment to a name."""
    return ast.Assign([ast.Name(name, ast.Store())], value)


def call(function: str, *arguments: ast.expr) -> ast.Call:
    """Build a call of a function by its name."""
    return ast.Call(load(function), list(arguments), [])
