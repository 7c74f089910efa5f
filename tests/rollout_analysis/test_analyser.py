"""Prompts of analysers, and parsing of yes and no."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import ParameterError
from nip.rollout_analysis.analyser import ModelAnalyser, read_yes_or_no
from tests.rollout_analysis.subjects import message, subject_with


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


def analyser_with(prompt: object) -> ModelAnalyser:
    class Asks(ModelAnalyser):
        name = "asks"
        question = "asks"

        def agents(self, protocol):
            return protocol.prover_names

    Asks.prompt = prompt
    return Asks()


def test_a_prompt_is_filled_in_and_its_digest_is_that_of_the_template(tmp_path) -> None:
    template = "$$5 for $agent_name: $messages ($solution)"
    (tmp_path / "prompt.txt").write_text(template + "\n")
    subject = subject_with("prover", message(0, "prover", "Yes."), solution="x = $y")
    for analyser in (analyser_with(template), analyser_with(tmp_path / "prompt.txt")):
        (request,) = analyser.conversation(subject)
        assert request["role"] == "user"
        assert request["content"] == "$5 for prover: [Round 1, prover]\n> Yes. (x = $y)"
        assert analyser.digest == hashlib.sha256(template.encode()).hexdigest()


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ("a $ sign", "a dollar sign that does not begin a placeholder"),
        ("$dialog", "Did you mean 'dialogue'"),
        (Path("missing.txt"), "'missing.txt' cannot be read"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_refused(prompt, problem) -> None:
    with pytest.raises(ParameterError, match=problem):
        analyser_with(prompt)
