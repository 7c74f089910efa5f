"""Each mutation of statements makes its mistakes and undoes them."""

import pytest

from nip.scenarios.code_validation.generation.mutations import statements
from nip.scenarios.code_validation.generation.mutations.mutation import Mutation
from tests.scenarios.code_validation.generation.mutations.mistakes import texts


@pytest.mark.parametrize(
    ("mutation", "program", "mutants"),
    [
        (statements.dropped_statement, "a = 1\nreturn_(a)", ["return_(a)", "a = 1"]),
        (statements.missing_guard, "def f():\n    if a:\n        return 1\n    return 2",
         ["def f():\n    return 2"]),
        (statements.forgotten_else, "if a:\n    f()\nelse:\n    g()", ["if a:\n    f()"]),
        (statements.one_branch, "if a:\n    f()", ["f()"]),
        (statements.second_if, "if a:\n    f()\nelif b:\n    g()",
         ["if a:\n    f()\nif b:\n    g()"]),
        (statements.early_return, "def f():\n    for a in b:\n        g()\n    return 1",
         ["def f():\n    for a in b:\n        g()\n        return 1"]),
        (statements.jump, "while a:\n    break", ["while a:\n    continue"]),
        (statements.overwritten, "a += b", ["a = b"]),
        (statements.order, "a = 1\nb = a", ["b = a\na = 1"]),
        (statements.order, "a = 1\nb = 2", []),
        (statements.nesting, "for a in b:\n    f()\ng()", ["for a in b:\n    f()\n    g()"]),
        (statements.nesting, "for a in b:\n    f()\n    g()", ["for a in b:\n    f()\ng()"]),
        (statements.nesting, "c = 0\nfor a in b:\n    f()", ["for a in b:\n    c = 0\n    f()"]),
        (statements.sequential_assignment, "a, b = b, a", ["a = b\nb = a"]),
    ],
)  # fmt: skip
def test_a_mutation_makes_its_mistakes(
    mutation: Mutation, program: str, mutants: list[str]
) -> None:
    assert list(texts(mutation, program)) == mutants
