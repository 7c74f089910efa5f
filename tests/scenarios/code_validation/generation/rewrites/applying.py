"""Applies a rewrite at all of its places and runs programs, for tests."""

import ast
import random

from nip.scenarios.code_validation.generation.rewrites.rewriting import Chance


def apply(make_rewrite, program: str) -> str:
    """Make one rewrite everywhere."""
    tree = ast.parse(program)
    chance = Chance(random.Random(0), 1.0, tree)
    return ast.unparse(ast.fix_missing_locations(make_rewrite(chance).visit(tree)))


def run(program: str, *arguments):
    names: dict = {}
    exec(program, names)
    return names["solve"](*arguments)
