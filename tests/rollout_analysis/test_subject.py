"""What an analyser is told about the agent that it asks about."""

import pytest

from nip.rollout_analysis.subject import Subject
from nip.scenario_base.text.play import begin_rollout
from tests.scenario_base.text.dialogues import DATAPOINT, PLAN, rules_of


def subject_of(agent: str, protocol: str = "nip", **common: bool) -> Subject:
    rules = rules_of(protocol, protocol_common=common)
    rollout = begin_rollout(DATAPOINT, PLAN)
    return Subject("train", 0, rollout, DATAPOINT, rules, agent)


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
