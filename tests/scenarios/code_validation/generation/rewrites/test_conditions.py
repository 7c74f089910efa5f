"""Rewrites of conditions change what they should and nothing that is not equivalent."""

import pytest

from nip.scenarios.code_validation.generation.rewrites import conditions
from tests.scenarios.code_validation.generation.rewrites.applying import apply


@pytest.mark.parametrize(
    ("make_rewrite", "before", "after"),
    [
        (conditions.MirrorComparisons, "x = a < b", "x = b > a"),
        (conditions.MirrorComparisons, "x = a == 0", "x = a == 0"),
        (conditions.MirrorComparisons, "x = f() < g()", "x = f() < g()"),
        (conditions.SplitChains, "x = 0 <= a < b", "x = 0 <= a and a < b"),
        (conditions.SwapBranches, "x = 1 if a else 2", "x = 2 if not a else 1"),
        (conditions.SwapBranches, "x = 1 if a < 3 else 2", "x = 2 if a >= 3 else 1"),
        # Of two sets, neither may be less than the other, nor greater, nor equal.
        (conditions.SwapBranches, "x = 1 if a < b else 2", "x = 2 if not a < b else 1"),
        (conditions.NestConditions, "if a and b:\n    f()", "if a:\n    if b:\n        f()"),
        (conditions.NestConditions, "if a:\n    if b:\n        f()", "if a and b:\n    f()"),
        (
            conditions.ElseAfterLeaving,
            "def f():\n    if a:\n        return 1\n    return 2",
            "def f():\n    if a:\n        return 1\n    else:\n        return 2",
        ),
        (
            conditions.JoinBranches,
            "if a:\n    x = 1\nelse:\n    x = 2",
            "x = 1 if a else 2",
        ),
        (
            conditions.ExpandConditionalExpressions,
            "x = 1 if a else 2",
            "if a:\n    x = 1\nelse:\n    x = 2",
        ),
        (conditions.EmptinessTests, "x = len(a) == 0", "x = not a"),
    ],
)
def test_a_rewrite_changes_what_it_should(make_rewrite, before: str, after: str) -> None:
    assert apply(make_rewrite, before) == after
