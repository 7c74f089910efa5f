"""Renaming replaces a name everywhere, except the arguments of ``solve``."""

import ast
import random

from nip.scenarios.code_validation.generation.rewrites import renaming
from nip.scenarios.code_validation.generation.rewrites.rewriting import Chance
from tests.scenarios.code_validation.generation.rewrites.applying import run


def test_names_change_everywhere_or_nowhere() -> None:
    program = """
def solve(values, key):
    best_value = 0
    def helper(item, scale=1):
        nonlocal best_value
        best_value += item * scale
    for item in values:
        helper(item, scale=key)
    return best_value
"""
    styles = set()
    for seed in range(20):
        tree = ast.parse(program)
        chance = Chance(random.Random(seed), 1.0, tree)
        renamed = ast.unparse(renaming.RenameVariables(chance).visit(tree))
        styles.add(renamed)
        assert renamed.startswith("def solve(values, key):")
        assert run(renamed, [1, 2], 3) == 9
    assert len(styles) >= 3
