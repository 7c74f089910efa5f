"""Variants of a program have other texts and the same behaviour."""

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nip.scenarios.code_validation.generation.rewrites.variants import (
    REWRITES,
    canonical_form,
    rewrite,
)
from tests.scenarios.code_validation.generation.rewrites.applying import apply, run

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


def assert_rewritten_program_does_the_same(seed: int, values: list[int], limit: int) -> None:
    assert run(rewrite(RICH, random.Random(seed)), values, limit) == run(RICH, values, limit)


cases = given(
    seed=st.integers(0, 10**6),
    values=st.lists(st.integers(-3, 12), max_size=6),
    limit=st.integers(0, 9),
)


@settings(max_examples=8)
@cases
def test_a_rewritten_program_does_the_same(seed: int, values: list[int], limit: int) -> None:
    assert_rewritten_program_does_the_same(seed, values, limit)


@pytest.mark.slow
@settings(max_examples=200)
@cases
def test_every_rewritten_program_does_the_same(seed: int, values: list[int], limit: int) -> None:
    assert_rewritten_program_does_the_same(seed, values, limit)


def test_many_rewrites_of_a_program_differ() -> None:
    generator = random.Random(0)
    forms = {canonical_form(rewrite(RICH, generator)) for _ in range(10)}
    assert len(forms) >= 8


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
