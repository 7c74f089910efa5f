"""Each grade and number of each scale is read as the right decision and value."""

import pytest

from nip.errors import UnknownNameError
from nip.scenario_base.text.answers.decision_scales import DECISION_SCALES, find_scale


@pytest.mark.parametrize(
    ("scale", "text", "expected"),
    [
        ("accept_reject", "accept", (1, 1.0)),
        ("accept_reject", "reject", (0, -1.0)),
        ("likert_4", "strongly reject", (0, -1.0)),
        ("likert_4", "weakly accept", (1, 1 / 3)),
        ("likert_5", "undecided", (0, 0.0)),
        ("likert_5", "weakly  accept", (1, 0.5)),
        ("likert_6", "reject", (0, -0.6)),
        ("likert_7", "accept", (1, 2 / 3)),
        ("out_of_10", "7", (1, 0.4)),
        ("out_of_10", "5", (0, 0.0)),
        ("out_of_10", "10/10", (1, 1.0)),
        ("out_of_100", "0 out of 100", (0, -1.0)),
        ("out_of_100", "51", (1, 0.02)),
    ],
)
def test_a_verdict_has_a_decision_and_a_place(scale: str, text: str, expected) -> None:
    decision = find_scale(scale).read(text)
    assert decision is not None
    assert decision == (expected[0], pytest.approx(expected[1]))


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        ("accept_reject", "accept or reject"),
        ("accept_reject", "accepted"),
        ("accept_reject", ""),
        ("accept_reject", "continue"),
        ("likert_4", "accept"),
        ("likert_4", "undecided"),
        ("out_of_10", "11"),
        ("out_of_10", "-1"),
        ("out_of_10", "7.5"),
        ("out_of_10", "70/100"),
        ("out_of_10", "seven"),
        ("out_of_100", "9" * 10_000),
    ],
)
def test_anything_else_is_no_verdict(scale: str, text: str) -> None:
    assert find_scale(scale).read(text) is None


@pytest.mark.parametrize("scale", DECISION_SCALES)
def test_the_ends_are_read_as_they_are_written(scale: str) -> None:
    found = find_scale(scale)
    assert found.read(found.words_for(0)) == (0, -1.0)
    assert found.read(found.words_for(1)) == (1, 1.0)


@pytest.mark.parametrize("num_grades", [4, 5, 6, 7])
def test_a_likert_scale_has_its_number_of_grades_all_named_to_the_verifier(num_grades) -> None:
    instruction = find_scale(f"likert_{num_grades}").instruction
    assert instruction.count("`Decision: ") == num_grades
    assert ("middle" in instruction) == (num_grades % 2 == 1)


def test_an_unknown_scale_is_named() -> None:
    with pytest.raises(UnknownNameError, match="no decision scale 'likert_9'"):
        find_scale("likert_9")
