"""Rollouts as JSON and as arrays."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nip.language_models.errors import ContentFilterError
from nip.scenario_base.text.rollout import MessageRecord, Rollout
from nip.scenario_base.text.rollout_arrays import rollouts_to_arrays
from tests.scenario_base.text.dialogues import DATAPOINT, PLAN, by_place, play, rules_of

ASK_TWO = "[to Expert 1]\nWhy?\n[to Expert 2]\nHow?"

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


@given(ROLLOUTS)
def test_a_rollout_comes_back_from_json_as_it_was(fields: dict[str, Any]) -> None:
    messages = tuple(MessageRecord(**each) for each in fields["messages"])
    rollout = Rollout(**{**fields, "messages": messages})
    assert Rollout.from_record(json.loads(json.dumps(rollout.to_record()))) == rollout


def test_four_messages_of_150_words_take_little_room() -> None:
    words = " ".join(["solution"] * 150)
    rollout, _ = play(rules_of("nip", nip_protocol={"max_message_rounds": 4}), lambda call: words)
    assert len(rollout.messages) == 4
    assert len(json.dumps(rollout.to_record())) < 20_000


def test_totals_and_last_messages() -> None:
    rollout, _ = play(rules_of("adp"), lambda call: "Yes.\nDecision: accept")
    assert [rollout.total_reward(index) for index in (0, 1)] == [1.0, 1.0]
    last = rollout.last_message("verifier")
    assert last is not None
    assert last.decision_text == "accept"
    assert rollout.last_message("nobody") is None


def two_rollouts() -> tuple[Rollout, Rollout]:
    answers = {
        (0, "verifier"): ASK_TWO,
        (1, "prover0"): ["", "It is wrong."],
        (1, "prover1"): "It is right.",
        (2, "verifier"): "Fine.\nDecision: accept",
    }
    rules = rules_of("debate")
    failing = play(
        rules, lambda call: ASK_TWO if call.agent == "verifier" else ContentFilterError("no")
    )
    return play(rules, by_place(answers))[0], failing[0]


def test_rollouts_become_arrays() -> None:
    protocol = rules_of("debate").protocol
    finished, failed = two_rollouts()
    other = replace(DATAPOINT, id="p2-b", question="Halve x.")
    failed = replace(failed, datapoint=1, datapoint_id="p2-b")
    arrays = rollouts_to_arrays([finished, failed], [DATAPOINT, other], protocol)
    assert arrays.batch_size == (2,)
    single = {
        "position": [3, 3],
        "datapoint": [0, 1],
        "datapoint_id": ["p1-a", "p2-b"],
        "copy": [PLAN.copy] * 2,
        "seed": [PLAN.seed] * 2,
        "y": [1, 1],
        "prover_stance": [0, 0],
        "num_rounds": [3, 1],
        "verdict": [1, 2],
        "failed": [False, True],
        "terminated": [False, False],
        "error": ["", "ContentFilterError"],
        "question": ["Double x.", "Halve x."],
        "solution": ["print(2 * x)"] * 2,
    }
    assert {name: arrays[name].tolist() for name in single} == single
    np.testing.assert_array_equal(arrays["verdict_value"], [1.0, np.nan])
    agents = arrays["agents"]
    assert agents["active"].shape == (2, 8, 3)
    # Rounds 0 to 2 of the finished one: verifier, both provers, verifier.
    expected = [[False, False, True], [True, True, False], [False, False, True]]
    assert agents["active"][0, :3].tolist() == expected
    assert not agents["active"][0, 3:].any()
    assert agents["text"][0, 1].tolist() == ["It is wrong.", "It is right.", ""]
    assert agents["channel_text"][0, 0, 2].tolist() == ["Why?", "How?"]
    assert agents["channel_text"][0, 1].tolist()[:2] == [["It is wrong.", ""], ["", "It is right."]]
    assert agents["decision"][0, 2].tolist() == [2, 2, 1]
    assert agents["reward"][0, 2].tolist() == [0.0, 1.0, 1.0]
    assert agents["num_retries"][0, 1].tolist() == [1, 0, 0]
    assert agents["prompt_tokens"][0, 1].tolist() == [20, 10, 0]
    assert agents["completion_tokens"][0, 2].tolist() == [0, 0, 2]
    assert not agents["reward"][1].any()
    assert not agents["invalid"].any()


def test_no_rollouts_give_empty_arrays() -> None:
    arrays = rollouts_to_arrays([], [], rules_of("nip").protocol)
    assert len(arrays) == 0
    assert arrays["agents", "channel_text"].shape == (0, 8, 2, 1)
    assert arrays["question"].shape == (0,)
