"""Rewrites: other texts, the same behaviour."""

import ast
import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nip.scenarios.code_validation.generation.rewrites import (
    conditions,
    loops,
    renaming,
    statements,
)
from nip.scenarios.code_validation.generation.rewrites.formatting import tidy
from nip.scenarios.code_validation.generation.rewrites.rewriting import Chance
from nip.scenarios.code_validation.generation.rewrites.variants import (
    REWRITES,
    canonical_form,
    rewrite,
)


def apply(make_rewrite, program: str) -> str:
    """Make one rewrite everywhere."""
    tree = ast.parse(program)
    chance = Chance(random.Random(0), 1.0, tree)
    return ast.unparse(ast.fix_missing_locations(make_rewrite(chance).visit(tree)))


def run(program: str, *arguments):
    names: dict = {}
    exec(program, names)
    return names["solve"](*arguments)


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
        (statements.ExpandAugmentedAssignments, "x += y", "x = x + y"),
        (statements.ExpandAugmentedAssignments, "x += [y]", "x += [y]"),
        (statements.ContractAssignments, "x = x - 1", "x -= 1"),
        (statements.SplitTuples, "a, b = (0, c)", "a = 0\nb = c"),
        (statements.SplitTuples, "a, b = (b, a)", "a, b = (b, a)"),
        (statements.TurnSumsAndProducts, "x = a + 1", "x = 1 + a"),
        (statements.TurnSumsAndProducts, "x = a + 'b'", "x = a + 'b'"),
        (statements.WriteSquaresOut, "x = a ** 2", "x = a * a"),
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


# Every statement that a rewrite looks for, in one program.
RICH = """
def solve(values, limit):
    count, total = 0, 0
    seen = []
    for value in values:
        if value < 0:
            continue
        if value % 2 == 0 and value <= limit:
            count += 1
        elif 0 < value < limit:
            total = total + value ** 2
        else:
            total += 1 if value == limit else 2
        seen.append(value * 2)
    for i in range(len(seen)):
        if len(seen) == 0 or seen[i] != limit:
            total += 1
    doubled = [x for x in seen if x > limit]
    while total > 100:
        total -= 7
    if not values:
        return [-1]
    return [count, total, sum(x for x in doubled), any(x == limit for x in seen)]
"""


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    values=st.lists(st.integers(-3, 12), max_size=6),
    limit=st.integers(0, 9),
)
def test_a_rewritten_program_does_the_same(seed: int, values: list[int], limit: int) -> None:
    assert run(rewrite(RICH, random.Random(seed)), values, limit) == run(RICH, values, limit)


def test_many_rewrites_of_a_program_differ() -> None:
    generator = random.Random(0)
    forms = {canonical_form(rewrite(RICH, generator)) for _ in range(25)}
    assert len(forms) >= 18


def test_the_same_seed_rewrites_in_the_same_way() -> None:
    one, other = (rewrite(RICH, random.Random(5)) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("make_rewrite", [make for make, _ in REWRITES])
def test_each_rewrite_alone_keeps_the_behaviour(make_rewrite) -> None:
    rewritten = apply(make_rewrite, RICH)
    inputs = product(([], [5], [1, 2, 3, 4, -1], [12, 9, 8, 7, 3]), (0, 3, 5))
    for values, limit in inputs:
        assert run(rewritten, values, limit) == run(RICH, values, limit)


def test_programs_that_differ_in_names_have_one_canonical_form() -> None:
    one = "def solve(a):\n    b = a\n    return b"
    other = "def solve(x):\n    y = x\n    return y"
    assert canonical_form(one) == canonical_form(other)
    assert canonical_form(one) != canonical_form("def solve(x):\n    y = x\n    return x")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = a and (b and c)", "x = a and b and c\n"),
        ("x = a and (b or c)", "x = a and (b or c)\n"),
        ("x = (1)  # a number", "x = 1\n"),
        ("x = a == a", None),
        ("x = 0 <= a <= a", None),
        ("x = a - a", None),
        ("x = max(a, a)", None),
        ("a = a", None),
        ("x = a or a", None),
        ("x = a * a", "x = a * a\n"),
        ("return 1", None),
        ("x = (", None),
    ],
)
def test_tidying_removes_what_gives_a_mutant_away(before: str, after: str | None) -> None:
    assert tidy(before) == after
