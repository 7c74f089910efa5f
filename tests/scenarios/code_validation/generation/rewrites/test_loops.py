"""Rewrites of loops are applied only where the behaviour stays the same."""

import pytest

from nip.scenarios.code_validation.generation.rewrites import loops
from tests.scenarios.code_validation.generation.rewrites.applying import apply, run


@pytest.mark.parametrize(
    ("make_rewrite", "before", "after"),
    [
        (
            loops.EndlessLoops,
            "while a != b:\n    f()",
            "while True:\n    if a == b:\n        break\n    f()",
        ),
    ],
)
def test_a_rewrite_changes_what_it_should(make_rewrite, before: str, after: str) -> None:
    assert apply(make_rewrite, before) == after


def test_a_range_becomes_a_while_loop_only_where_that_is_the_same() -> None:
    def rewritten(body: str) -> str:
        return apply(loops.RangeLoopsToWhile, f"def solve(n):\n    total = 0\n{body}")

    simple = rewritten("    for i in range(1, n):\n        total += i\n    return total")
    assert "while i <" in simple
    assert run(simple, 5) == 1 + 2 + 3 + 4
    for kept in (
        "    for i in range(n):\n        total += i\n    return i",
        "    for i in range(n):\n        if i:\n            continue\n    return total",
        "    for i in range(n):\n        i += 1\n    return total",
        "    for i in range(0, n, 2):\n        total += i\n    return total",
    ):
        assert "for i in range" in rewritten(kept)


@pytest.mark.parametrize(
    "expression",
    ["[x for x in v if x > 1]", "sum((x * y for x in v for y in v))", "any((x > 2 for x in v))"],
)
def test_a_comprehension_becomes_a_loop_that_finds_the_same(expression: str) -> None:
    before = f"def solve(v):\n    return {expression}"
    after = apply(loops.ComprehensionsToLoops, before)
    assert " for x in v:" in after
    for values in ([], [1], [3, 0, 2]):
        assert run(after, values) == run(before, values)


def test_a_loop_by_index_is_not_made_for_what_has_no_order_or_grows() -> None:
    def rewritten(first: str, body: str) -> str:
        program = f"def solve(v):\n    {first}\n    for x in w:\n        {body}\n    return v"
        return apply(loops.LoopsByIndex, program)

    assert "x = w[" in rewritten("w = sorted(v)", "print(x)")
    assert "for x in w" in rewritten("w = {1, 2}", "print(x)")
    assert "for x in w" in rewritten("w = [1]", "w.append(x)")
