"""Playing dialogues: turns, retries, errors, rewards, seeds and keys."""

import asyncio
import json

import pytest

from nip.language_models.chat import Completion, TokenUsage
from nip.language_models.errors import (
    AuthenticationError,
    ContentFilterError,
    OverloadError,
    QuotaError,
)
from nip.parameters.text_agents import SPARE_TOKENS, TOKENS_PER_WORD
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.play import play_rollout
from nip.scenario_base.text.rollout import Rollout
from nip.seeding import stable_seed
from tests.scenario_base.text.dialogues import (
    DATAPOINT,
    PLAN,
    PLAYABLE,
    agents_of,
    answering,
    by_place,
    place_of,
    play,
    rules_of,
)

ASK_TWO = "[to Expert 1]\nWhy?\n[to Expert 2]\nHow?"
FEW_RETRIES = {"_default": {"num_invalid_generation_retries": 2}}


def test_a_dialogue_ends_with_the_decision_of_the_verifier() -> None:
    rules = rules_of("nip")
    answers = {
        (0, "verifier"): "Why?",
        (1, "prover"): "Because.\nDecision: reject",
        (2, "verifier"): "I see.\nDecision: accept",
    }
    rollout, calls = play(rules, by_place(answers))
    assert rollout.status == "completed"
    assert (rollout.verdict, rollout.verdict_value, rollout.num_rounds) == (1, 1.0, 3)
    assert rollout.rewards == ((0.0, 0.0), (0.0, 0.0), (1.0, 1.0))
    assert [each.text for each in rollout.messages] == list(answers.values())
    assert (rollout.position, rollout.datapoint_id, rollout.copy, rollout.y) == (3, "p1-a", 1, 1)
    assert not rollout.warnings
    assert [place_of(call)[:2] for call in calls] == list(answers)


def test_a_call_says_for_whom_how_and_under_which_key() -> None:
    params = {"prover": {"temperature": 0.5, "max_response_words": 80}}
    _, calls = play(rules_of("adp", agents=params), lambda call: "Yes.\nDecision: reject")
    prover, verifier = calls
    assert (prover.key, verifier.key) == ("train/0/3/0/prover/0", "train/0/3/1/verifier/0")
    assert (prover.agent, prover.model.model_name) == ("prover", "of-prover")
    assert prover.sampling.temperature == 0.5
    assert prover.sampling.max_tokens == TOKENS_PER_WORD * 80 + SPARE_TOKENS
    assert prover.sampling.seed == stable_seed(6, 0, "prover", 0) % 2**31


def test_without_a_prefix_nothing_is_journalled() -> None:
    from dataclasses import replace

    plan = replace(PLAN, key_prefix="")
    _, calls = play(rules_of("solo_verifier"), lambda call: "Decision: accept", plan=plan)
    assert [call.key for call in calls] == [""]


def test_the_default_eight_rounds_end_undecided_after_the_last_prover() -> None:
    rollout, calls = play(rules_of("nip"), lambda call: "Go on.")
    assert rollout.is_terminated
    assert (rollout.verdict, rollout.num_rounds) == (2, 8)
    assert rollout.rewards[-1] == (0.0, -1.0)
    last_of_verifier = next(call for call in calls if place_of(call)[:2] == (6, "verifier"))
    assert "You must decide now." in last_of_verifier.messages[-1]["content"]


def test_a_message_that_nobody_will_read_is_not_asked_for() -> None:
    rollout, calls = play(rules_of("nip"), lambda call: "Go on.")
    assert [place_of(call)[:2] for call in calls] == [
        *[(0, "verifier"), (1, "prover"), (2, "verifier"), (3, "prover")],
        *[(4, "verifier"), (5, "prover"), (6, "verifier")],
    ]
    # The prover is told so in its last message, and the dialogue ends as before.
    last_of_prover = calls[-2].messages[-1]["content"]
    assert "This is your last message." in last_of_prover
    assert (rollout.num_rounds, rollout.is_terminated) == (8, True)


def test_reasoning_is_kept_and_nobody_reads_or_learns_it() -> None:
    rules = rules_of("nip")
    answers = {
        (0, "verifier"): "<think>secret-1</think>Why?",
        (1, "prover"): "<think>secret-2</think>Because.",
        (2, "verifier"): "secret-3</think>\nDecision: accept",
    }
    rollout, calls = play(rules, by_place(answers))
    assert [each.text for each in rollout.messages] == ["Why?", "Because.", "Decision: accept"]
    assert [each.reasoning for each in rollout.messages] == ["secret-1", "secret-2", "secret-3"]
    assert Rollout.from_record(rollout.to_record()) == rollout
    conversation = Conversation(rules, DATAPOINT, rollout.seed)
    learnt = [conversation.training_messages(name, rollout.messages) for name in rules.specs]
    for messages in (*(call.messages for call in calls), *learnt):
        assert "secret" not in json.dumps(messages)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        # (text, whether the limit cut it) of each answer, and the multiples of the limit asked for.
        ([("", True)] * 21, [1, 2, 4]),
        ([("", True), ("Decision: accept", False)], [1, 2]),
        ([("", False), ("", True), ("", False), ("Decision: accept", False)], [1, 1, 2, 2]),
        # An answer that was cut and is valid all the same is used.
        ([("Decision: accept", True)], [1]),
    ],
)
def test_an_answer_cut_by_the_limit_is_not_asked_for_again_in_the_same_way(
    lengths, expected: list[int]
) -> None:
    answers = iter(lengths)

    def answer(_: object) -> Completion:
        text, is_cut = next(answers)
        reason = "length" if is_cut else "stop"
        return Completion(text, reason, TokenUsage(1, 1), "m")

    params = {"verifier": {"max_tokens_per_message": 50}}
    rollout, calls = play(rules_of("solo_verifier", agents=params), answer)
    assert [call.sampling.max_tokens for call in calls] == [50 * each for each in expected]
    assert len({call.key for call in calls}) == len(calls)
    (message,) = rollout.messages
    assert message.completion_tokens == len(calls)
    if message.is_invalid:
        assert "cut at the limit of 200 tokens" in rollout.warnings[0]
        assert "max_tokens_per_message" in rollout.warnings[0]


def test_invalid_answers_keep_their_entries_in_the_journal() -> None:
    answers = iter(["", " ", "Decision: accept"])
    rollout, calls = play(rules_of("solo_verifier"), lambda call: next(answers))
    assert rollout.kept_keys == tuple(call.key for call in calls[:2])
    assert Rollout.from_record(rollout.to_record()).kept_keys == rollout.kept_keys


def test_simultaneous_agents_do_not_see_each_other_s_message() -> None:
    answers = {
        (0, "verifier"): ASK_TWO,
        (1, "prover0"): "MINE-0",
        (1, "prover1"): "MINE-1",
        (2, "verifier"): "Decision: reject",
    }
    rollout, calls = play(rules_of("debate"), by_place(answers))
    of_round = {place_of(call)[:2]: str(call.messages) for call in calls}
    assert "MINE" not in of_round[1, "prover0"] + of_round[1, "prover1"]
    assert "MINE-0" in of_round[2, "verifier"]
    assert "MINE-1" in of_round[2, "verifier"]
    assert rollout.rewards[-1] == (1.0, 0.0, -1.0)


def test_an_invalid_answer_is_asked_for_again_with_another_seed() -> None:
    answers = {
        (0, "verifier"): "Why?",
        (1, "prover"): ["", "  ", "Because."],
        (2, "verifier"): ["Decision: accept or reject", "Decision: accept"],
    }
    rollout, calls = play(rules_of("nip"), by_place(answers))
    prover = rollout.messages[1]
    assert (prover.text, prover.num_retries, prover.is_invalid) == ("Because.", 2, False)
    assert prover.problems == ("the answer is empty", "the answer is empty")
    assert (prover.prompt_tokens, prover.completion_tokens) == (30, 6)
    assert rollout.verdict == 1
    assert not rollout.warnings
    attempts = [call for call in calls if call.agent == "prover"]
    assert [place_of(call)[2] for call in attempts] == [0, 1, 2]
    assert len({call.sampling.seed for call in attempts}) == 3
    assert attempts[0].messages == attempts[2].messages


def test_a_debate_with_one_prover_that_is_always_invalid_completes() -> None:
    answers = {(round_, "prover0"): "" for round_ in range(8)}
    answers |= {(round_, "prover1"): "It is right." for round_ in range(8)}
    answers |= {(round_, "verifier"): ASK_TWO for round_ in range(6)}
    answers[6, "verifier"] = "Decision: accept"
    rules = rules_of("debate", agents=FEW_RETRIES)
    rollout, calls = play(rules, by_place(answers))
    assert rollout.status == "completed"
    assert rollout.verdict == 1
    silent = [each for each in rollout.messages if each.agent == "prover0"]
    assert [each.channel_texts for each in silent] == [{"prover0_channel": ""}] * 3
    assert all(each.is_invalid and each.num_retries == 2 for each in silent)
    assert all(
        each.channel_texts["prover1_channel"]
        for each in rollout.messages
        if each.agent == "prover1"
    )
    assert len(rollout.warnings) == 3
    assert "In round 2 no answer of 'prover0' was valid" in rollout.warnings[0]
    last = next(call for call in calls if place_of(call)[:2] == (6, "verifier"))
    assert "[Expert 1]\n(no answer)" in last.messages[-1]["content"]


@pytest.mark.parametrize("error", [ContentFilterError("refused"), OverloadError("too many")])
def test_a_call_that_fails_for_good_fails_the_rollout_and_keeps_the_messages(error) -> None:
    rollout, _ = play(rules_of("nip"), lambda call: error if call.agent == "prover" else "Why?")
    assert rollout.status == "failed"
    assert rollout.is_failed
    assert (rollout.error, rollout.error_message) == (type(error).__name__, str(error))
    assert [each.agent for each in rollout.messages] == ["verifier"]
    assert (rollout.verdict, rollout.verdict_value, rollout.is_terminated) == (2, None, False)


def test_what_the_other_prover_said_is_kept_when_one_fails() -> None:
    def script(call):
        if call.agent == "prover0":
            return ContentFilterError("refused")
        return ASK_TWO if call.agent == "verifier" else "It is right."

    rollout, _ = play(rules_of("debate"), script)
    assert [each.agent for each in rollout.messages] == ["verifier", "prover1"]
    assert rollout.num_rounds == 1


@pytest.mark.parametrize("protocol", ["nip", "debate"])
@pytest.mark.parametrize("error", [AuthenticationError("no"), QuotaError("spent")])
def test_errors_that_end_the_run_are_raised(protocol: str, error) -> None:
    def script(call):
        if call.agent == "prover1":
            return ContentFilterError("refused")
        return error if "prover" in call.agent else ASK_TWO

    with pytest.raises(type(error)):
        play(rules_of(protocol), script)


@pytest.mark.parametrize("protocol", ["nip", "debate"])
def test_mistakes_of_ours_are_raised(protocol: str) -> None:
    with pytest.raises(ZeroDivisionError):
        play(
            rules_of(protocol),
            lambda call: ZeroDivisionError() if "prover" in call.agent else ASK_TWO,
        )


def test_an_answer_cut_at_the_token_limit_is_flagged_and_kept() -> None:
    cut = Completion("It is beca", "length", TokenUsage(), "m")
    rollout, _ = play(
        rules_of("adp"), lambda call: cut if call.agent == "prover" else "Decision: accept"
    )
    assert [each.is_cut for each in rollout.messages] == [True, False]
    assert rollout.messages[0].text == "It is beca"


def test_an_answer_whose_second_header_was_cut_off_shows_why_it_is_invalid() -> None:
    cut = Completion("[to Expert 1]\nWhy is", "length", TokenUsage(), "m")
    rollout, _ = play(
        rules_of("debate", agents=FEW_RETRIES),
        lambda call: cut if call.agent == "verifier" else "It is right.",
    )
    asked = [each for each in rollout.messages if each.agent == "verifier"]
    assert asked
    assert all(each.is_invalid and each.is_cut for each in asked)


@pytest.mark.parametrize(("force_guess", "verdict"), [("zero", 0), ("one", 1), ("y", 1)])
def test_a_forced_guess_decides_and_what_the_verifier_says_is_kept(force_guess, verdict) -> None:
    rules = rules_of("nip", protocol_common={"force_guess": force_guess})
    rollout, calls = play(rules, lambda call: "Why?")
    assert len(calls) == 1
    assert (rollout.verdict, rollout.verdict_value) == (verdict, 2.0 * verdict - 1)
    assert rollout.messages[0].decision == 2
    assert rollout.rewards == ((float(verdict), 1.0 if verdict else -1.0),)


def test_before_the_minimum_a_decision_is_asked_for_again() -> None:
    rules = rules_of("nip", nip_protocol={"min_message_rounds": 3}, agents=FEW_RETRIES)
    rollout, calls = play(rules, lambda call: "Decision: accept")
    assert rollout.messages[0].is_invalid
    assert rollout.messages[2].decision == 1
    assert rollout.num_rounds == 3
    assert "You cannot decide in this message yet." in calls[0].messages[-1]["content"]


def test_grades_pay_in_proportion() -> None:
    rules = rules_of("adp", code_validation={"decision_scale": "out_of_10", "linear_reward": True})
    rollout, _ = play(rules, lambda call: "Fairly sure.\nDecision: 8")
    assert rollout.verdict_value == pytest.approx(0.6)
    assert rollout.rewards[-1] == pytest.approx((0.8, 0.6))


@pytest.mark.parametrize("protocol", PLAYABLE)
def test_every_playable_protocol_can_be_played_and_stored(protocol: str) -> None:
    def script(call):
        if call.agent != "verifier":
            return "It is right."
        is_last = "must decide now" in call.messages[-1]["content"]
        return "Fine.\nDecision: accept" if is_last else ASK_TWO

    rollout, _ = play(rules_of(protocol), script)
    assert rollout.verdict == 1
    assert Rollout.from_record(json.loads(json.dumps(rollout.to_record()))) == rollout


def test_the_order_in_which_answers_come_makes_no_difference() -> None:
    rules = rules_of("debate")

    async def run(delays: dict[str, int]) -> Rollout:
        complete, _ = answering(
            lambda call: ASK_TWO if call.agent == "verifier" else f"{call.sampling.seed}"
        )

        async def delayed(call):
            for _ in range(delays.get(call.agent, 0)):
                await asyncio.sleep(0)
            return await complete(call)

        return await play_rollout(rules, agents_of(rules), DATAPOINT, PLAN, delayed)

    assert asyncio.run(run({"prover0": 5})) == asyncio.run(run({"prover1": 5}))


def test_a_near_miss_of_the_verdict_in_the_last_message_is_asked_again() -> None:
    answers = {
        (0, "prover"): "It is right.",
        (1, "verifier"): ["Verdict: correct", "Decision: accept\n\nThanks.", "Decision: accept"],
    }
    rollout, calls = play(rules_of("adp"), by_place(answers))
    assert (rollout.verdict, rollout.messages[-1].num_retries) == (1, 2)
    assert len(calls) == 4
    # Without a readable answer the message is empty, and the rollout says so.
    answers[1, "verifier"] = "Verdict: correct"
    rollout, _ = play(rules_of("adp"), by_place(answers))
    assert (rollout.verdict, rollout.is_terminated) == (2, True)
    assert "seems to decide" in rollout.warnings[0]
