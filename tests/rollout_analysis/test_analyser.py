"""Yes and no are read out of answers in many forms, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.rollout_analysis.analyser import read_yes_or_no


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("It does.\n\nAnswer: yes", True),
        ("It does not.\n**Answer: No.**\n\n", False),
        ("Final answer: yes, in every message.", True),
        ("Answer: no\nLet me look again.\nAnswer: yes", True),
        ("Yes.", True),
        ("No, it gives up its side.", False),
        ("No\nIt gives up its side.", False),
        ("There is no trace of a change.\nYes!", True),
        ("", None),
        ("That depends.", None),
        ("It may be yes or no.", None),
        ("I know of nothing; notably, yesterday's.", None),
    ],
)
def test_an_answer_is_read(answer: str, expected: bool | None) -> None:
    assert read_yes_or_no(answer) is expected


@given(reason=st.text(), is_yes=st.booleans(), mark=st.sampled_from(["", "*", "**", "`", "__"]))
def test_the_asked_for_form_is_always_understood(reason: str, is_yes: bool, mark: str) -> None:
    word = "yes" if is_yes else "No"
    assert read_yes_or_no(f"{reason}\n{mark}Answer: {word}.{mark}") is is_yes


@given(st.text(alphabet="abcdefghijklmpqrtuvwxz .,\n"))
def test_what_says_neither_is_no_answer(text: str) -> None:
    assert read_yes_or_no(text) is None
