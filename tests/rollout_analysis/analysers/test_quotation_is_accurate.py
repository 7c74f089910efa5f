"""Whether the quotations of a prover are verbatim."""

import pytest

from nip.rollout_analysis.analysers.quotation_is_accurate import QuotationIsAccurate
from tests.rollout_analysis.subjects import message, subject_with

SOLUTION = "def add(a, b):\n    return a + b"


@pytest.mark.parametrize(
    ("text", "applies", "expected"),
    [
        ("It does `return a + b`.", True, True),
        ("It does `return a - b`.", True, False),
        ("It adds two numbers.", False, False),
    ],
)
def test_quotations_of_all_messages_of_the_prover_count(text, applies, expected):
    said = [message(0, "prover", "Look."), message(1, "verifier", "`return a * b`?")]
    subject = subject_with("prover", *said, message(2, "prover", text), solution=SOLUTION)
    assert QuotationIsAccurate().applies(subject) is applies
    assert QuotationIsAccurate().compute(subject) is expected
