"""Applies a mutation at all of its places, for tests."""

import ast
from collections.abc import Iterator

from nip.scenarios.code_validation.generation.mutations.mutation import Mutation


def texts(mutation: Mutation, program: str) -> Iterator[str]:
    """Write out the program with each of the mistakes."""
    tree = ast.parse(program)
    for node in list(ast.walk(tree)):
        for _ in mutation(node):
            yield ast.unparse(ast.fix_missing_locations(tree))
    assert ast.unparse(tree) == ast.unparse(ast.parse(program))
