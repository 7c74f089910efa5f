"""Each mutation of an expression makes its mistakes and undoes them."""

import pytest

from nip.scenarios.code_validation.generation.mutations import expressions
from nip.scenarios.code_validation.generation.mutations.mutation import Mutation
from tests.scenarios.code_validation.generation.mutations.mistakes import texts


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
    ],
)  # fmt: skip
def test_a_mutation_makes_its_mistakes(
    mutation: Mutation, program: str, mutants: list[str]
) -> None:
    assert list(texts(mutation, program)) == mutants
