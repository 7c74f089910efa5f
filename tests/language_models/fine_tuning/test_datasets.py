"""Fine-tuning examples as JSON lines."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.language_models.fine_tuning import (
    FineTuningDatasetError,
    Preference,
    preference_dataset,
    supervised_dataset,
)

QUESTION = {"role": "user", "content": "Is a < b & 'c'?"}
ANSWER = {"role": "assistant", "content": "Ja, größer 😀\nDecision: accept"}
SYSTEM = {"role": "system", "content": "You are a verifier."}
TEXTS = st.text(min_size=1).filter(lambda text: text.strip())


def lines(dataset):
    assert dataset.content.endswith(b"\n") or not dataset.content
    return [json.loads(line) for line in dataset.content.decode().split("\n") if line]


def test_supervised_examples_are_the_conversations():
    dataset = supervised_dataset([[SYSTEM, QUESTION, ANSWER], [QUESTION, ANSWER]])
    assert (dataset.method, dataset.num_examples, dataset.num_unusable) == ("supervised", 2, 0)
    assert lines(dataset) == [
        {"messages": [SYSTEM, QUESTION, ANSWER]},
        {"messages": [QUESTION, ANSWER]},
    ]
    assert dataset.sha256 == hashlib.sha256(dataset.content).hexdigest()


def test_preferences_have_the_form_that_openai_documents():
    dataset = preference_dataset([Preference([SYSTEM, QUESTION], "yes", "no")])
    assert dataset.method == "dpo"
    assert lines(dataset) == [
        {
            "input": {"messages": [SYSTEM, QUESTION]},
            "preferred_output": [{"role": "assistant", "content": "yes"}],
            "non_preferred_output": [{"role": "assistant", "content": "no"}],
        }
    ]


@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_any_text_survives_the_round_trip(texts):
    dataset = supervised_dataset(
        [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
        for text in texts
    )
    assert [line["messages"][1]["content"] for line in lines(dataset)] == texts


def test_the_order_of_the_fields_of_a_message_does_not_matter():
    turned = {"content": ANSWER["content"], "role": "assistant"}
    assert supervised_dataset([[QUESTION, turned]]) == supervised_dataset([[QUESTION, ANSWER]])


def test_an_unpaired_surrogate_becomes_valid_unicode():
    broken = {"role": "assistant", "content": "a \ud83d b"}
    (line,) = lines(supervised_dataset([[QUESTION, broken]]))
    assert line["messages"][1]["content"] == "a \ufffd b"


@pytest.mark.parametrize("text", ["", " \n"])
def test_examples_with_an_empty_message_are_left_out_and_counted(text):
    empty = {"role": "assistant", "content": text}
    conversations = [[QUESTION, empty], [QUESTION, ANSWER], [QUESTION, empty, QUESTION, ANSWER]]
    dataset = supervised_dataset(conversations)
    assert (dataset.num_examples, dataset.num_unusable) == (1, 2)
    pairs = [
        Preference([QUESTION], "yes", text),
        Preference([QUESTION], text, "no"),
        Preference([{**QUESTION, "content": text}], "yes", "no"),
        Preference([QUESTION], "yes", "no"),
    ]
    dataset = preference_dataset(pairs)
    assert (dataset.num_examples, dataset.num_unusable) == (1, 3)


@pytest.mark.parametrize("conversation", [[], [QUESTION], [QUESTION, ANSWER, SYSTEM]])
def test_a_conversation_must_end_with_the_target_message(conversation):
    with pytest.raises(FineTuningDatasetError, match="example 1 must end with a message of the"):
        supervised_dataset([[QUESTION, ANSWER], conversation])


@pytest.mark.parametrize("conversation", [[], [QUESTION, ANSWER]])
def test_a_preference_must_wait_for_an_answer(conversation):
    with pytest.raises(FineTuningDatasetError, match="example 0 must not end with"):
        preference_dataset([Preference(conversation, "yes", "no")])


def test_an_unknown_role_is_named():
    with pytest.raises(FineTuningDatasetError, match=r"role 'prover'. Use one of system, user"):
        supervised_dataset([[{"role": "prover", "content": "a"}, ANSWER]])
