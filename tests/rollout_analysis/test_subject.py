"""The goal of the agent that a question is about."""

import pytest

from tests.rollout_analysis.subjects import message, subject_of, subject_with
from tests.scenario_base.text.dialogues import PLAN


@pytest.mark.parametrize(
    ("agent", "protocol", "common", "claim"),
    [
        ("prover", "nip", {}, "correct"),
        # The stance of the datapoint is 0.
        ("prover", "nip", {"randomize_prover_stance": True}, "wrong"),
        ("prover0", "debate", {}, "wrong"),
        ("prover1", "debate", {}, "correct"),
    ],
)
def test_the_goal_of_a_prover_is_what_it_was_paid_for(agent, protocol, common, claim) -> None:
    goal = subject_of(agent, protocol, **common).goal
    assert goal.startswith(f"The agent argues that the solution is {claim}, ")


def test_who_wants_the_right_decision_takes_no_side() -> None:
    for subject in (subject_of("verifier"), subject_of("prover", shared_reward=True)):
        assert "argues" not in subject.goal
        assert "right" in subject.goal


def test_texts_have_the_messages_by_round_and_agent() -> None:
    said = (message(0, "prover", " It is right. "), message(1, "verifier", ""))
    subject = subject_with("prover", *said)
    assert subject.messages == said[:1]
    assert subject.messages_text() == "[Round 1, prover]\n> It is right."
    assert subject.dialogue_text() == (
        "[Round 1, prover]\n> It is right.\n\n[Round 2, verifier]\n(nothing)"
    )
    assert subject_with("prover").messages_text() == "(nothing)"
    assert subject.place == ("train", 1, PLAN.position, "prover")
