"""Reasoning is separated from answers, however a model or a service marks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.language_models.chat import Completion, TokenUsage
from nip.language_models.reasoning import split_reasoning


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        ("The loop is right.", "The loop is right.", ""),
        ("a < b and b > c", "a < b and b > c", ""),
        ("<think>\nHm.\n</think>\n\nIt is right.", "It is right.", "Hm."),
        ("<THINK>Hm.</Think>Right.", "Right.", "Hm."),
        ("[THINK]Hm.[/THINK]Right.", "Right.", "Hm."),
        ("◁think▷Hm.◁/think▷Right.", "Right.", "Hm."),
        ("<seed:think>Hm.</seed:think>Right.", "Right.", "Hm."),
        ("[Think]\nIt is right.", "[Think]\nIt is right.", ""),
        ("<thinking>Hm.</thinking>Right.", "Right.", "Hm."),
        ("< think >Hm.< /think >Right.", "Right.", "Hm."),
        # The template of the chat has begun the reasoning.
        ("Hm.\n</think>\n\nRight.", "Right.", "Hm."),
        # The limit of tokens has cut it.
        ("<think>Hm. And then", "", "Hm. And then"),
        ("<think></think>Right.", "Right.", ""),
        # Several passages, and reasoning that mentions its own tags.
        ("<think>a</think>One.<think>b</think> Two.", "One. Two.", "a\nb"),
        ("<think>a <think> b</think>One.", "One.", "a <think> b"),
        ("<think>a<think>b</think>c</think>One.", "One.", "a<think>b\nc"),
        (
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
            "<|channel|>final<|message|>Right.<|return|>",
            "Right.",
            "Hm.",
        ),
        ("<|channel|>analysis<|message|>Hm. And", "", "Hm. And"),
    ],
)
def test_answer_and_reasoning_are_separated(text: str, answer: str, reasoning: str) -> None:
    assert split_reasoning(text) == (answer, reasoning)
    completion = Completion(text, "stop", TokenUsage(), "m")
    assert (completion.text, completion.reasoning) == (answer, reasoning)


def test_reasoning_of_a_field_of_its_own_is_kept_beside_that_of_the_text() -> None:
    completion = Completion("<think>b</think>Yes.", "stop", TokenUsage(), "m", reasoning="a")
    assert (completion.text, completion.reasoning) == ("Yes.", "a\nb")


WORDS = st.lists(st.sampled_from(["secret", "<think>", "</think>", "\n", "<", "x"]), max_size=30)


@given(WORDS)
def test_what_stands_between_the_tags_never_reaches_the_answer(words: list[str]) -> None:
    is_inside, hidden, numbered = False, set(), []
    for number, word in enumerate(words):
        is_inside = {"<think>": True, "</think>": False}.get(word, is_inside)
        name = f"secret{number}" if word == "secret" else word
        hidden |= {name} if is_inside and word == "secret" else set()
        numbered.append(name)
    answer, reasoning = split_reasoning(" ".join(numbered))
    assert not any(word in answer.split() for word in hidden)
    assert "think>" not in answer
    for word in filter(lambda name: name.startswith("secret"), numbered):
        assert (word in answer.split()) != (word in reasoning.split())


def test_a_long_text_of_tags_takes_linear_time() -> None:
    assert split_reasoning("<think>" * 100_000)[0] == ""
    assert split_reasoning("<" * 100_000 + "x")[1] == ""
