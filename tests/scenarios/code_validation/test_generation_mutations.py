"""Mutations: each is one mistake, and leaves the tree as it was."""

import ast
import random
from collections.abc import Iterator

import pytest

from nip.scenarios.code_validation.generation.mutations import expressions, statements, variables
from nip.scenarios.code_validation.generation.mutations.mutants import MUTATIONS, make_mutants
from nip.scenarios.code_validation.generation.mutations.mutation import Mutation, shifted


def texts(mutation: Mutation, program: str) -> Iterator[str]:
    """Write out the program with each of the mistakes."""
    tree = ast.parse(program)
    for node in list(ast.walk(tree)):
        for _ in mutation(node):
            yield ast.unparse(ast.fix_missing_locations(tree))
    assert ast.unparse(tree) == ast.unparse(ast.parse(program))


@pytest.mark.parametrize(
    ("mutation", "program", "mutants"),
    [
        (expressions.boundary, "a < b <= c", ["a <= b <= c", "a < b < c"]),
        (expressions.boundary, "a == b", []),
        (expressions.comparison, "a in b", ["a not in b"]),
        (expressions.comparison, "a < b", ["a > b", "a != b"]),
        (expressions.arithmetic, "x -= a", ["x += a"]),
        (expressions.arithmetic, "a % b", ["a // b"]),
        (expressions.boolean, "a and b", ["a or b"]),
        (expressions.forgotten_condition, "a and b and c", ["b and c", "a and c", "a and b"]),
        (expressions.forgotten_condition, "x = a or b", ["x = a", "x = b"]),
        (expressions.forgotten_condition, "[a for a in b if c]", ["[a for a in b]"]),
        (expressions.negation, "x = not a", ["x = a"]),
        (expressions.sign, "x = -a", ["x = a"]),
        (expressions.constant, "x = 3", ["x = 4", "x = 2"]),
        (expressions.constant, "x = -1", ["x = 0", "x = -2"]),
        (expressions.constant, "x = a + 1", ["x = a + 2"]),
        (expressions.forgotten_shift, "x = a + 1", ["x = a"]),
        (expressions.forgotten_shift, "x = 1 + a", ["x = a"]),
        (expressions.truth_value, "x = True", ["x = False"]),
        (
            expressions.range_bound,
            "range(1, n - 1)",
            ["range(2, n - 1)", "range(0, n - 1)", "range(1, n)", "range(1, n - 2)"],
        ),
        (expressions.slice_bound, "a[b:]", ["a[b + 1:]", "a[b - 1:]"]),
        (expressions.index, "a[i + 1]", ["a[i + 2]", "a[i]"]),
        (expressions.index, "a[0]", []),
        (expressions.crossed_indices, "a[i][j]", ["a[j][i]"]),
        (expressions.function, "min(a)", ["max(a)"]),
        (expressions.method, "a.lstrip()", ["a.strip()", "a.rstrip()"]),
        (expressions.forgotten_call, "x = sorted(a)", ["x = a"]),
        (expressions.forgotten_call, "x = a.lower()", ["x = a"]),
        (expressions.swapped_arguments, "f(a, b)", ["f(b, a)"]),
        (expressions.swapped_arguments, "min(a, b)", []),
        (expressions.swapped_operands, "a - b", ["b - a"]),
        (expressions.swapped_operands, "a + 1", []),
        (expressions.sort_order, "sorted(a, key=b)", ["sorted(a)"]),
        (expressions.text, "x = 'abc'", ["x = 'ab'", "x = 'bc'"]),
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
        (
            variables.wrong_variable,
            "def f(text, word):\n    i = 0\n    j = 1\n    return text[i]",
            [
                "def f(text, word):\n    i = 0\n    j = 1\n    return word[i]",
                "def f(text, word):\n    i = 0\n    j = 1\n    return text[j]",
            ],
        ),
    ],
)  # fmt: skip
def test_a_mutation_makes_its_mistakes(
    mutation: Mutation, program: str, mutants: list[str]
) -> None:
    assert list(texts(mutation, program)) == mutants


@pytest.mark.parametrize(
    ("before", "by", "after"),
    [("n", 1, "n + 1"), ("n - 1", 1, "n"), ("n + 1", 1, "n + 2"), ("n - 2", 1, "n - 1"),
     ("1 + n", -1, "n"), ("0", -1, "-1"), ("-1", 1, "0"), ("n * 2", 1, "n * 2 + 1"),
     ("1 - n", 1, "1 - n + 1")],
)  # fmt: skip
def test_shifting_is_written_as_a_person_would(before: str, by: int, after: str) -> None:
    assert ast.unparse(shifted(ast.parse(before, mode="eval").body, by)) == after


PROGRAM = """\
def solve(values, limit):
    best = 0
    for index, value in enumerate(values):
        if value > limit and index % 2 == 0:
            best = max(best, value)
        elif not value:
            break
    return best - 1
"""


def test_every_mutation_leaves_the_tree_as_it_was() -> None:
    for mutation in MUTATIONS:
        list(texts(mutation, PROGRAM))


def test_mutants_are_different_valid_programs() -> None:
    mutants = make_mutants(PROGRAM, 30, random.Random(0))
    programs = {mutant.program for mutant in mutants}
    assert len(programs) == len(mutants) >= 25
    assert PROGRAM not in programs
    for program in programs:
        compile(program, "mutant", "exec")


def test_few_mutants_are_of_many_kinds() -> None:
    mutants = make_mutants(PROGRAM, 12, random.Random(1))
    assert len({mutant.mutation for mutant in mutants}) == len(mutants) >= 10


def test_a_mutant_differs_in_one_place() -> None:
    before = PROGRAM.splitlines()
    for mutant in make_mutants(PROGRAM, 100, random.Random(2)):
        if mutant.mutation in ("boundary", "constant", "arithmetic", "wrong_variable"):
            pairs = zip(before, mutant.program.splitlines(), strict=True)
            assert sum(one != other for one, other in pairs) == 1


def test_the_same_seed_makes_the_same_mutants() -> None:
    one, other = (make_mutants(PROGRAM, 10, random.Random(3)) for _ in range(2))
    assert one == other
