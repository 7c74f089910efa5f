"""Whether the messages of the verifier have the required format."""

import pytest

from nip.rollout_analysis.analysers.verifier_follows_format import VerifierFollowsFormat
from tests.rollout_analysis.subjects import message, subject_with


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"num_retries": 1}, False),
        ({"is_invalid": True}, False),
        ({"is_cut": True}, False),
    ],
)
def test_one_message_with_a_fault_is_enough(changes, expected):
    said = [
        message(0, "verifier", "Why?"),
        message(1, "prover", "So.", num_retries=3),
        message(2, "verifier", "And?", **changes),
    ]
    assert VerifierFollowsFormat().compute(subject_with("verifier", *said)) is expected


def test_it_does_not_apply_without_messages():
    assert not VerifierFollowsFormat().applies(subject_with("verifier", message(0, "prover", "a")))
