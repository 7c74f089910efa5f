"""Rules answer deterministically, and invalid files of rules are reported."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import ParameterError
from nip.language_models.answer_rules import AnswerRules, recall_key
from nip.language_models.chat import ChatMessage
from nip.seeding import stable_seed

RULES = """
rules:
  - when_system: You are the verifier
    when: (?i)round (?P<round>[0-9]+) of (?P<rounds>[0-9]+)
    answers:
      - "Round $round: is the loop right? ($$5)"
      - "What about the last of $rounds rounds?"
  - when: decide
    recall: true
  - when: decide
    answers: "Decision: accept"
otherwise:
  - I cannot say.
"""


def conversation(system: str, *turns: str) -> list[ChatMessage]:
    """The user speaks first, then in turn with the assistant."""
    messages = [ChatMessage(role="system", content=system)]
    for number, text in enumerate(turns):
        messages.append(ChatMessage(role=("user", "assistant")[number % 2], content=text))
    return messages


@pytest.fixture
def rules(tmp_path: Path) -> AnswerRules:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return AnswerRules.from_file(path)


def test_the_seed_and_the_length_choose_the_answer(rules: AnswerRules) -> None:
    messages = conversation("You are the verifier.", "This is Round 2 of 4")
    texts = ["Round 2: is the loop right? ($5)", "What about the last of 4 rounds?"]
    for seed in range(8):
        assert rules.answer(messages, seed) == texts[stable_seed(seed, 2) % 2]
    assert {rules.answer(messages, seed) for seed in range(8)} == set(texts)


def test_a_rule_looks_at_the_last_user_message_and_at_the_first_of_all(rules: AnswerRules) -> None:
    asked_before = conversation("You are the verifier.", "Round 1 of 2", "Round 2 of 2", "Go on.")
    assert rules.answer(asked_before, 0) == "I cannot say."
    other_agent = conversation("You are the prover.", "Round 1 of 2")
    assert rules.answer(other_agent, 0) == "I cannot say."
    assert rules.answer([], 0) == "I cannot say."


def test_a_remembered_answer_goes_first_and_as_it_is(rules: AnswerRules) -> None:
    messages = conversation("The question", "Now decide.")
    key = hashlib.sha256(b"The question").hexdigest()
    assert recall_key(messages) == key
    assert rules.answer(messages, 0, recall={key: "Decision: $reject"}) == "Decision: $reject"
    assert rules.answer(messages, 0, recall={"other": "no"}) == "Decision: accept"
    assert rules.answer(messages, 0) == "Decision: accept"


@given(st.text(), st.text(), st.integers(0, 2**31))
def test_any_conversation_has_an_answer(system: str, text: str, seed: int) -> None:
    rules = AnswerRules.from_dict(
        {"rules": [{"when": "a.*b", "answers": ["$$"]}], "otherwise": "?"}
    )
    answer = rules.answer(conversation(system, text), seed)
    assert answer in ("$", "?")
    assert answer == rules.answer(conversation(system, text), seed)


def test_json_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"rules": [{"when": "x", "answers": ["y"]}], "otherwise": "z"}))
    rules = AnswerRules.from_file(path)
    assert [rules.answer(conversation("", word), 0) for word in ("x", "a")] == ["y", "z"]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({}, "otherwise must be one or more strings, got None"),
        ({"otherwise": []}, "otherwise must be one or more strings"),
        ({"otherwise": [True]}, "quotation marks"),
        ({"otherwise": "x", "rule": []}, "There is no key 'rule'. Did you mean 'rules'?"),
        ({"otherwise": "x", "rules": "y"}, "rules must be a list, got 'y'"),
        ({"otherwise": "x", "rules": ["y"]}, "rule 1 must be a mapping, got 'y'"),
        ({"otherwise": "x", "rules": [{"when": "y"}]}, "rule 1: answers must be one or more"),
        ({"otherwise": "x", "rules": [{"wen": "y"}]}, "Did you mean 'when'"),
        ({"otherwise": "x", "rules": [{"when": 3, "answers": "a"}]}, "expression, got 3"),
        ({"otherwise": "x", "rules": [{"when": "(", "answers": "a"}]}, r"expression, got '\('"),
        ({"otherwise": "x", "rules": [{"answers": "$n"}]}, r"no expression of its rule has a gro"),
        ({"otherwise": "x", "rules": [{"answers": "a", "recall": 1}]}, "true or false, got 1"),
        ({"otherwise": "$n"}, r"write \$\$n for the plain text"),
    ],
)
def test_invalid_rules_are_reported(tree: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        AnswerRules.from_dict(tree)


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    for answer in ("yes", "no"):
        path.write_text(f"rules: []\notherwise: ['{answer}']\n")
        assert AnswerRules.from_file(path).otherwise == (answer,)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.yaml", None, "No such file"),
        ("bad.yaml", b"rules: [", "are not valid YAML"),
        ("bad.json", b"{", "are not valid JSON"),
        ("bytes.yaml", b"\xff\xfe\x00", "it is not UTF-8 text"),
        ("list.yaml", b"- a", "must be a mapping with the keys rules and otherwise, got list"),
    ],
)
def test_an_unusable_file_is_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ParameterError, match=message) as caught:
        AnswerRules.from_file(path)
    assert name in str(caught.value)
