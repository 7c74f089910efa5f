"""Detection of quotations and of inaccurate ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.rollout_analysis.quotations import is_quoted_accurately

PROGRAM = """\
def solve(numbers):
    total = 0
    for index in range(1, len(numbers)):
        total += numbers[index]
    return total
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The loop `for index in range(1, len(numbers)):` skips the first.", True),
        ("The loop `for index in range(1,len(numbers))` skips the first.", True),
        ("The loop `for index in range(len(numbers)):` visits all.", False),
        ("It says “total += numbers[index]” and no more.", True),
        ('It says "total += numbers[index + 1]" there.', False),
        ("```python\n    total = 0\n    for index in range(1, len(numbers)):\n```", True),
        ("```\ntotal = 0\nfor index in range(2, len(numbers)):\n```", False),
        ("For `[3, 1, 2]` it returns `3`, since `index` starts late.", None),
        ("It is right in every respect.", None),
        ("`return total` stands there, `return totals` does not.", False),
        ("", None),
    ],
)
def test_quotations_are_compared(text: str, expected: bool | None) -> None:
    assert is_quoted_accurately(text, PROGRAM) is expected


@given(st.sampled_from([line for line in PROGRAM.splitlines() if len(line.strip()) > 8]))
def test_every_line_is_quoted_accurately_in_every_mark(line: str) -> None:
    for text in (f"`{line.strip()}`", f"“{line}”", f"```py\n{line}\n```", f"So:\n```\n{line}\n```"):
        assert is_quoted_accurately(text, PROGRAM) is True


@given(st.text())
def test_any_text_is_looked_through(text: str) -> None:
    assert is_quoted_accurately(text, PROGRAM) in (True, False, None)
