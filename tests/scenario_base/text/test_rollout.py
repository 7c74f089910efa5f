"""Rollouts are restored from JSON unchanged, and sum their rewards."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nip.scenario_base.text.rollout import MessageRecord, Rollout
from tests.scenario_base.text.dialogues import play, rules_of

# Built in the test, since what checks the types draws random numbers.
MESSAGES = st.fixed_dictionaries(
    {
        "round": st.integers(0, 9),
        "agent": st.sampled_from(["prover", "verifier"]),
        "text": st.text(),
        "channel_texts": st.dictionaries(st.text(), st.text(), max_size=3),
        "decision": st.integers(0, 2),
        "decision_value": st.none() | st.floats(-1, 1),
        "decision_text": st.text(),
        "num_retries": st.integers(0, 20),
        "problems": st.lists(st.text(), max_size=3).map(tuple),
        "is_invalid": st.booleans(),
        "is_cut": st.booleans(),
        "prompt_tokens": st.integers(0, 10**6),
        "completion_tokens": st.integers(0, 10**6),
        "model": st.text(),
    }
)
ROLLOUTS = st.fixed_dictionaries(
    {
        "position": st.integers(0, 10**6),
        "datapoint": st.integers(0, 10**6),
        "datapoint_id": st.text(),
        "copy": st.integers(0, 9),
        "seed": st.integers(0, 2**31 - 1),
        "y": st.integers(0, 1),
        "prover_stance": st.integers(0, 1),
        "status": st.sampled_from(["unfinished", "completed", "failed"]),
        "messages": st.lists(MESSAGES, max_size=4),
        "rewards": st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), max_size=4).map(tuple),
        "verdict": st.integers(0, 2),
        "verdict_value": st.none() | st.floats(-1, 1),
        "is_terminated": st.booleans(),
        "error": st.text(),
        "error_message": st.text(),
        "warnings": st.lists(st.text(), max_size=2).map(tuple),
    }
)


@settings(max_examples=20)
@given(ROLLOUTS)
def test_a_rollout_comes_back_from_json_as_it_was(fields: dict[str, Any]) -> None:
    messages = tuple(MessageRecord(**each) for each in fields["messages"])
    rollout = Rollout(**{**fields, "messages": messages})
    assert Rollout.from_record(json.loads(json.dumps(rollout.to_record()))) == rollout


def test_rounds_are_counted_from_1_in_a_record() -> None:
    rollout, _ = play(rules_of("nip", nip_protocol={"max_message_rounds": 5}), lambda call: "So?")
    assert [message.round for message in rollout.messages] == [0, 1, 2, 3, 4]
    assert [message["round"] for message in rollout.to_record()["messages"]] == [1, 2, 3, 4, 5]


def test_five_messages_of_150_words_take_little_room() -> None:
    words = " ".join(["solution"] * 150)
    rollout, _ = play(rules_of("nip", nip_protocol={"max_message_rounds": 5}), lambda call: words)
    assert len(rollout.messages) == 5
    assert len(json.dumps(rollout.to_record())) < 20_000


def test_totals_and_last_messages() -> None:
    rollout, _ = play(rules_of("adp"), lambda call: "Yes.\nDecision: accept")
    assert [rollout.total_reward(index) for index in (0, 1)] == [1.0, 1.0]
    last = rollout.last_message("verifier")
    assert last is not None
    assert last.decision_text == "accept"
    assert rollout.last_message("nobody") is None
