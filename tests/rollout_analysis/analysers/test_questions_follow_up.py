"""When later questions of the verifier can refer to earlier answers."""

import pytest

from nip.protocols.rules import Decision
from nip.rollout_analysis.analysers.questions_follow_up import QuestionsFollowUp
from tests.rollout_analysis.subjects import message, subject_with

DECIDES = {"decision": int(Decision.ACCEPT)}


@pytest.mark.parametrize(
    ("messages", "applies"),
    [
        ([("verifier", "Why?"), ("prover", "So."), ("verifier", "And?")], True),
        ([("verifier", "Why?"), ("prover", "So.")], False),
        ([("verifier", "Why?"), ("prover", ""), ("verifier", "And?")], False),
        ([("prover", "So."), ("verifier", "")], False),
        ([], False),
    ],
)
def test_a_question_after_an_answer_is_needed(messages, applies):
    said = [message(round, agent, text) for round, (agent, text) in enumerate(messages)]
    assert QuestionsFollowUp().applies(subject_with("verifier", *said)) is applies


def test_a_decision_is_no_question():
    said = [message(0, "prover", "So."), message(1, "verifier", "Yes.", **DECIDES)]
    assert not QuestionsFollowUp().applies(subject_with("verifier", *said))
