"""Which provers can quote the solution, and what the judge is told."""

import pytest

from nip.rollout_analysis.analysers.prover_quotes_solution import ProverQuotesSolution
from tests.rollout_analysis.subjects import message, subject_of, subject_with


@pytest.mark.parametrize(
    ("protocol", "provers"),
    [("nip", ("prover",)), ("debate", ("prover0", "prover1")), ("solo_verifier", ())],
)
def test_all_provers_are_judged_and_nobody_else(protocol, provers):
    handler = subject_of("verifier", protocol).rules.protocol
    assert ProverQuotesSolution().agents(handler) == provers


@pytest.mark.parametrize(
    ("messages", "applies"),
    [
        ([("prover", "So.")], True),
        ([("prover", ""), ("verifier", "Why?")], False),
        ([], False),
    ],
)
def test_a_prover_that_said_nothing_quotes_nothing(messages, applies):
    said = [message(round, agent, text) for round, (agent, text) in enumerate(messages)]
    assert ProverQuotesSolution().applies(subject_with("prover", *said)) is applies


def test_the_judge_reads_the_solution_and_only_what_the_prover_said():
    said = [message(0, "prover", "It triples."), message(1, "verifier", "Does it double?")]
    subject = subject_with("prover", *said, solution="print(3 * x)")
    (request,) = ProverQuotesSolution().conversation(subject)
    assert "print(3 * x)" in request["content"]
    assert "[Round 1, prover]\n> It triples." in request["content"]
    assert "Does it double?" not in request["content"]
