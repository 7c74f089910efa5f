"""Helpers of mutations change a tree temporarily and write numbers as people do."""

import ast

import pytest

from nip.scenarios.code_validation.generation.mutations.mutation import (
    expressions,
    integer,
    replaced_item,
    shifted,
)


@pytest.mark.parametrize(
    ("before", "by", "after"),
    [("n", 1, "n + 1"), ("n - 1", 1, "n"), ("n + 1", 1, "n + 2"), ("n - 2", 1, "n - 1"),
     ("1 + n", -1, "n"), ("0", -1, "-1"), ("-1", 1, "0"), ("n * 2", 1, "n * 2 + 1"),
     ("1 - n", 1, "1 - n + 1")],
)  # fmt: skip
def test_shifting_is_written_as_a_person_would(before: str, by: int, after: str) -> None:
    assert ast.unparse(shifted(ast.parse(before, mode="eval").body, by)) == after


def test_an_item_is_replaced_only_within_the_context() -> None:
    items = [1, 2, 3]
    with replaced_item(items, 1, 8, 9):
        assert items == [1, 8, 9, 3]
    with replaced_item(items, 1):
        assert items == [1, 3]
    assert items == [1, 2, 3]


def test_every_direct_expression_can_be_replaced_and_is_restored() -> None:
    node = ast.parse("f(a, b)", mode="eval").body
    found = []
    for replace, _ in expressions(node):
        with replace(ast.Constant(0)):
            found.append(ast.unparse(node))
    assert found == ["0(a, b)", "f(0, b)", "f(a, 0)"]
    assert ast.unparse(node) == "f(a, b)"


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("-7", -7), ("True", None), ("n", None)])
def test_integers_are_read_with_their_signs(text: str, value: int | None) -> None:
    assert integer(ast.parse(text, mode="eval").body) == value
