"""Making a program count its steps, so that endless ones are recognised without a clock."""

import ast

STEP_NAME = "__step__"
"""The function that an instrumented program calls in each step."""


def count_steps(program: str) -> str:
    """Return a program that calls ``__step__`` in each pass of a loop and each call of a function.

    Raises
    ------
    SyntaxError
        If the program cannot be parsed.
    """
    tree = _StepCounter().visit(ast.parse(program))
    return ast.unparse(ast.fix_missing_locations(tree))


class _StepCounter(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.For | ast.While | ast.FunctionDef):
            node.body.insert(0, ast.Expr(_step()))
        elif isinstance(node, ast.comprehension):
            node.ifs.insert(0, _step())
        return node


def _step() -> ast.Call:
    return ast.Call(ast.Name(STEP_NAME, ast.Load()), [], [])
