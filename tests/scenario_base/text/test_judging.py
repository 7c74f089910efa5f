"""Another verifier decides a finished dialogue, in place of its own verifier."""

import asyncio
from dataclasses import replace

import pytest

from nip.language_models.chat import ModelSpec
from nip.language_models.errors import AuthenticationError, ContentFilterError
from nip.scenario_base.text.play import judge_dialogue
from tests.scenario_base.text.dialogues import (
    DATAPOINT,
    Script,
    agents_of,
    answering,
    by_place,
    place_of,
    play,
    rules_of,
)

RULES = rules_of("nip")
PLAYED, CALLS = play(
    RULES,
    by_place(
        {
            (0, "verifier"): "Why?",
            (1, "prover"): "Because.",
            (2, "verifier"): "I see.\nDecision: accept",
        }
    ),
)


def judge(script: Script, **params):
    complete, calls = answering(script)
    agent = agents_of(rules_of("nip", agents={"verifier": params}))["verifier"]
    verifier = agent.with_model(ModelSpec("test", "another"))
    rollout = judge_dialogue(RULES, verifier, DATAPOINT, PLAYED, complete, "judged/2/3")
    return asyncio.run(asyncio.wait_for(rollout, 5)), calls


def test_it_reads_what_its_predecessor_read_and_replaces_its_verdict() -> None:
    judged, (call,) = judge(lambda call: "No.\nDecision: reject")
    assert (judged.verdict, judged.verdict_value, judged.status) == (0, -1.0, "completed")
    assert (judged.position, judged.seed, judged.y) == (PLAYED.position, PLAYED.seed, PLAYED.y)
    # The label is 1: neither is paid for a rejection.
    assert judged.rewards == ((0.0, 0.0), (0.0, 0.0), (0.0, -1.0))
    assert [each.text for each in judged.messages] == ["No.\nDecision: reject"]
    assert call.model.model_name == "another"
    assert call.key == "judged/2/3/2/verifier/0"
    own = CALLS[-1]
    assert call.messages[:-1] == own.messages[:-1]
    assert call.sampling == own.sampling


def test_it_has_to_decide_where_its_predecessor_did() -> None:
    judged, calls = judge(by_place({(2, "verifier"): ["Decision: unsure", "Decision: accept"]}))
    # The timetable has three further turns of the verifier.
    assert "You must decide now." in calls[0].messages[-1]["content"]
    assert "You must decide now." not in CALLS[-1].messages[-1]["content"]
    assert (len(calls), judged.verdict) == (2, 1)


def test_without_a_valid_answer_there_is_no_verdict() -> None:
    judged, calls = judge(lambda call: "Decision: unsure", num_invalid_generation_retries=1)
    assert (len(calls), judged.verdict, judged.verdict_value) == (2, 2, None)
    assert judged.status == "completed" and judged.has_invalid_message


def test_errors_are_those_of_other_dialogues() -> None:
    judged, _ = judge(lambda call: ContentFilterError("no"))
    assert judged.is_failed and judged.error == "ContentFilterError"
    with pytest.raises(AuthenticationError):
        judge(lambda call: AuthenticationError("no"))


def test_a_dialogue_without_verdict_is_judged_at_the_last_turn() -> None:
    undecided, calls = play(RULES, lambda call: "Go on.")
    assert undecided.is_terminated
    complete, again = answering(lambda call: "Decision: accept")
    verifier = agents_of(RULES)["verifier"]
    judged = asyncio.run(
        asyncio.wait_for(
            judge_dialogue(RULES, verifier, DATAPOINT, replace(undecided), complete), 5
        )
    )
    last = [call for call in calls if place_of(call)[1] == "verifier"][-1]
    assert again[0].messages == last.messages
    assert (judged.verdict, judged.is_terminated) == (1, False)
