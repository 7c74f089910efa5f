"""Normal form of programs, so that changed programs differ only in what they do."""

import ast

from nip.utils.syntax_trees import parse


def format_program(program: str) -> str | None:
    """Convert a program to the normal form of all programs of a dataset.

    It has no comments and no redundant brackets. Return None if the program is not valid Python,
    cannot be written as a text again (because of an integer of 5000 digits, for example), or has a
    pointless expression that is no plausible mistake: ``x == x``, ``x - x``, ``x = x``.
    """
    try:
        # Compiled, because parsing alone accepts a `return` outside of functions.
        compile(program, "program", "exec")
        tree = _Flattener().visit(parse(program))
        if any(map(_is_pointless, ast.walk(tree))):
            return None
        return ast.unparse(tree) + "\n"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _Flattener(ast.NodeTransformer):
    """Rewrites ``a and (b and c)`` as ``a and b and c``."""

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node, ast.BoolOp):
            node.values = [
                value
                for part in node.values
                for value in (
                    part.values
                    if isinstance(part, ast.BoolOp) and type(part.op) is type(node.op)
                    else [part]
                )
            ]
        return node


def _is_pointless(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        return any(map(_is_same, operands, operands[1:]))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.FloorDiv | ast.Mod):
        return _is_same(node.left, node.right)
    if isinstance(node, ast.Assign):
        return any(_text(target) == _text(node.value) for target in node.targets)
    if isinstance(node, ast.BoolOp):
        texts = [ast.unparse(value) for value in node.values]
        return len(set(texts)) < len(texts)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 2:
        return node.func.id in ("min", "max") and _is_same(*node.args)
    return False


def _is_same(one: ast.AST, other: ast.AST) -> bool:
    return type(one) is type(other) and _text(one) == _text(other)


def _text(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)
