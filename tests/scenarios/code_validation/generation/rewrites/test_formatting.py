"""The normal form of programs removes what would reveal a mutant."""

import pytest

from nip.scenarios.code_validation.generation.rewrites.formatting import format_program


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
def test_the_normal_form_removes_what_reveals_a_mutant(before: str, after: str | None) -> None:
    assert format_program(before) == after
