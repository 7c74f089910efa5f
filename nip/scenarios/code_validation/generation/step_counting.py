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
    def visit_loop(self, node: ast.For | ast.While | ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_step()))
        return node

    visit_For = visit_While = visit_FunctionDef = visit_loop

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.ifs.insert(0, _step())
        return node


def _step() -> ast.Call:
    return ast.Call(ast.Name(STEP_NAME, ast.Load()), [], [])
