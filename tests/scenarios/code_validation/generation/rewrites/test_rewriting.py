"""Helpers of rewrites: unused names, pure expressions, and blocks that leave or jump."""

import ast
import random

import pytest

from nip.scenarios.code_validation.generation.rewrites.rewriting import (
    Chance,
    is_pure,
    jumps,
    leaves,
    loaded_names,
    names_in,
    stored_names,
)

PROGRAM = ast.parse("def solve(values):\n    for item in values:\n        total = item.size\n")


def test_new_names_are_not_used_in_the_program_and_are_no_builtins() -> None:
    chance = Chance(random.Random(0), 1.0, PROGRAM)
    assert not any(map(chance.is_free, ("values", "total", "size", "len", "for")))
    assert chance.new_name("item") == "item2"
    assert chance.new_name("item") == "item3"
    assert {chance.new_name("a", "b"), chance.new_name("a", "b")} == {"a", "b"}


def test_names_are_found_by_their_roles() -> None:
    assert names_in(PROGRAM) == {"solve", "values", "item", "total", "size"}
    assert stored_names(PROGRAM) == {"item", "total"}
    assert loaded_names(PROGRAM) == {"values", "item"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + len(b[0]) < 3", True),
        ("max(a, -b)", True),
        ("f(a)", False),
        ("a.pop()", False),
        ("sum(a, start=f())", False),
        ("[f(a)]", False),
    ],
)
def test_only_expressions_without_side_effects_are_pure(expression: str, expected: bool) -> None:
    assert is_pure(ast.parse(expression, mode="eval").body) is expected


def test_a_block_leaves_with_its_last_statement() -> None:
    assert leaves(ast.parse("a = 1\nraise a").body)
    assert not leaves(ast.parse("if a:\n    raise a").body)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("if a:\n    break", True),
        ("for a in b:\n    break", False),
        ("for a in b:\n    pass\nelse:\n    break", True),
        ("continue", False),
    ],
)
def test_a_break_belongs_to_the_nearest_loop(block: str, expected: bool) -> None:
    assert jumps(ast.parse(block).body, ast.Break) is expected
