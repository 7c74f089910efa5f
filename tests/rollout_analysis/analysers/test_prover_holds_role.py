"""Which provers are judged by their role, and what the judge is told."""

import pytest

from nip.rollout_analysis.analysers.prover_holds_role import ProverHoldsRole
from tests.rollout_analysis.subjects import message, subject_of, subject_with


@pytest.mark.parametrize(
    ("protocol", "provers"),
    [("nip", ("prover",)), ("debate", ("prover0", "prover1")), ("solo_verifier", ())],
)
def test_all_provers_are_judged_and_nobody_else(protocol, provers):
    handler = subject_of("verifier", protocol).rules.protocol
    assert ProverHoldsRole().agents(handler) == provers


@pytest.mark.parametrize(
    ("messages", "applies"),
    [
        ([("prover", "So.")], True),
        ([("prover", ""), ("verifier", "Why?"), ("prover", "So.")], True),
        ([("prover", ""), ("verifier", "Why?")], False),
        ([], False),
    ],
)
def test_a_prover_that_said_nothing_has_no_role_to_keep(messages, applies):
    said = [message(round, agent, text) for round, (agent, text) in enumerate(messages)]
    assert ProverHoldsRole().applies(subject_with("prover", *said)) is applies


def test_the_judge_reads_the_side_and_the_whole_dialogue():
    said = [message(0, "prover", "It is right."), message(1, "verifier", "Why?")]
    subject = subject_with("prover", *said, solution="print(3 * x)")
    (request,) = ProverHoldsRole().conversation(subject)
    for part in (
        f"The role of prover: {subject.goal}",
        "[Round 1, prover]\n> It is right.\n\n[Round 2, verifier]\n> Why?",
        "print(3 * x)",
    ):
        assert part in request["content"]
