"""Rewrites of statements change what they should and nothing that is not equivalent."""

import pytest

from nip.scenarios.code_validation.generation.rewrites import statements
from tests.scenarios.code_validation.generation.rewrites.applying import apply


@pytest.mark.parametrize(
    ("make_rewrite", "before", "after"),
    [
        (statements.ExpandAugmentedAssignments, "x += y", "x = x + y"),
        (statements.ExpandAugmentedAssignments, "x += [y]", "x += [y]"),
        (statements.ContractAssignments, "x = x - 1", "x -= 1"),
        (statements.SplitTuples, "a, b = (0, c)", "a = 0\nb = c"),
        (statements.SplitTuples, "a, b = (b, a)", "a, b = (b, a)"),
        (statements.TurnSumsAndProducts, "x = a + 1", "x = 1 + a"),
        (statements.TurnSumsAndProducts, "x = a + 'b'", "x = a + 'b'"),
        (statements.WriteSquaresOut, "x = a ** 2", "x = a * a"),
    ],
)
def test_a_rewrite_changes_what_it_should(make_rewrite, before: str, after: str) -> None:
    assert apply(make_rewrite, before) == after
