"""What agents are told agrees with the timetables and the rewards, in every protocol and variant.

Nothing here reads how prompts are made: statements are found in the rendered texts, and compared
with the tables of the protocol.
"""

import itertools
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest

from nip.protocols import build_protocol_handler, protocol_registry
from nip.scenario_base.text.answers.decision_scales import DECISION_SCALES
from nip.scenario_base.text.answers.parsing import parse_answer
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.rollout import MessageRecord
from tests.scenario_base.text.dialogues import DATAPOINT, PLAYABLE, rules_of, text_params

SHOWN = {
    "nip": {"prover": "Prover", "verifier": "Verifier"},
    "adp": {"prover": "Prover", "verifier": "Verifier"},
    "debate": {"prover0": "Expert 1", "prover1": "Expert 2", "verifier": "Verifier"},
    "mnip": {"prover0": "Expert 1", "prover1": "Expert 2", "verifier": "Verifier"},
    "merlin_arthur": {"prover0": "Prover 1", "prover1": "Prover 2", "verifier": "Verifier"},
    "solo_verifier": {"verifier": "Verifier"},
}
"""The names by which agents are called."""

ARGUED_FOR = {
    "nip": {"prover": "correct"},
    "adp": {"prover": "correct"},
    "debate": {"prover0": "wrong", "prover1": "correct"},
    "mnip": {"prover0": "correct", "prover1": "correct"},
    "merlin_arthur": {"prover0": "wrong", "prover1": "correct"},
    "solo_verifier": {},
}
"""What each prover is to argue that the solution is."""

GROUPS = {"nip": "nip_protocol", "debate": "debate_protocol", "mnip": "mnip_protocol"}
CLAIMS, VERDICTS = ("wrong", "correct"), ("reject", "accept")


@dataclass(frozen=True)
class Variant:
    """One way of setting up a protocol."""

    protocol: str
    verifier_first: bool = True
    sequential: bool = False
    num_rounds: int = 8
    min_rounds: int = 1

    @property
    def rules(self) -> DialogueRules:
        common = {"verifier_first": self.verifier_first}
        changes: dict[str, dict[str, object]] = {"protocol_common": common}
        if group := GROUPS.get(self.protocol):
            rounds = {
                "max_message_rounds": self.num_rounds,
                "min_message_rounds": self.min_rounds,
            }
            is_two = group != "nip_protocol"
            changes[group] = {**rounds, **({"sequential": self.sequential} if is_two else {})}
        return rules_of(self.protocol, **changes)


def variants() -> list[Variant]:
    found = []
    for protocol in PLAYABLE:
        if protocol not in GROUPS:
            found.append(Variant(protocol))
            continue
        for first, sequential, (rounds, minimum) in itertools.product(
            (True, False), (False, True), ((8, 1), (7, 3), (9, 5), (4, 4))
        ):
            is_possible = protocol != "nip" or not sequential
            # With four rounds in which the last is a prover's, no decision would count.
            ends_too_soon = (rounds, minimum) == (4, 4) and (first != sequential)
            if is_possible and not ends_too_soon and not (sequential and minimum == 4):
                found.append(Variant(protocol, first, sequential, rounds, minimum))
    return found


def render(rules: DialogueRules, seed: int) -> dict[tuple[str, int], tuple[str, str]]:
    """Return the system prompt and the last user message of each agent in each of its rounds."""
    conversation, said, seen = Conversation(rules, DATAPOINT, seed), [], {}
    table = rules.protocol.active[rules.protocol.variant(seed)]
    for round_ in range(rules.protocol.num_episode_rounds):
        spoken = []
        for index, agent in enumerate(rules.protocol.agent_names):
            channels = [
                channel
                for channel, on in zip(
                    rules.protocol.channel_names, table[round_, index], strict=True
                )
                if on
            ]
            if not channels:
                continue
            messages = conversation.messages_for(agent, round_, said)
            seen[agent, round_] = (messages[0]["content"], messages[-1]["content"])
            texts = {channel: f"<{agent} {round_} {channel}>" for channel in channels}
            spoken.append(MessageRecord(round_, agent, "<text>", texts))
        said += spoken
    return seen


def stated_number(pattern: str, text: str) -> int:
    (found,) = re.findall(pattern, text)
    return int(found)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("variant", variants(), ids=str)
def test_prompts_agree_with_tables_and_rewards(variant: Variant, seed: int) -> None:
    rules = variant.rules
    seen = render(rules, seed)
    assert {agent for agent, _ in seen} >= {"verifier"}
    for (agent, round_), (system, last) in seen.items():
        if round_ not in turns_that_are_read(rules, agent, seed):
            continue
        assert system.startswith(f"You are {SHOWN[variant.protocol][agent]}.")
        assert "$" not in system + last
        assert "<problem>\nDouble x.\n</problem>\n\n<solution>\nprint(2 * x)\n</solution>" in system
        assert "150 words" in system
        check_stances(rules, agent, system)
        check_counts(rules, agent, system, seed)
        check_last_turn(rules, agent, round_, last, seed)
        check_decision(rules, agent, system, last)
        check_headers(rules, agent, system)


def check_stances(rules: DialogueRules, agent: str, system: str) -> None:
    """Everybody is told of each prover what the rewards pay it for."""
    protocol = rules.protocol
    for index, prover in enumerate(protocol.agent_names):
        if prover == "verifier":
            continue
        # The same whatever the label: provers are paid for the decision alone.
        paid = protocol.decided_reward[index]
        goal = int(paid[0].argmax())
        assert (paid[0] == paid[1]).all()
        assert CLAIMS[goal] == ARGUED_FOR[protocol.name][prover]
        claim, verdict, name = CLAIMS[goal], VERDICTS[goal], SHOWN[protocol.name][prover]
        if agent == prover:
            assert f"You argue that the solution is {claim}." in system
            assert f"You are rewarded if Verifier {verdict}s it," in system
        else:
            decider = f"you {verdict}" if agent == "verifier" else f"Verifier {verdict}s"
            assert (
                f"{name} argues that the solution is {claim}, and is rewarded if {decider} it,"
                in system
            )
    num_told = len(protocol.prover_names)
    assert len(re.findall(r"argues? that the solution is", system)) == num_told
    if agent == "verifier":
        assert "You are rewarded if your decision is right" in system


def turns_that_are_read(rules: DialogueRules, agent: str, seed: int) -> list[int]:
    """Return the rounds in which an agent writes before the last turn of the verifier, or in it."""
    protocol = rules.protocol
    table = protocol.active[protocol.variant(seed)].any(axis=-1)
    last = np.flatnonzero(table[:, protocol.agent_names.index("verifier")])[-1]
    turns = np.flatnonzero(table[:, protocol.agent_names.index(agent)]).tolist()
    return [turn for turn in turns if turn < last or agent == "verifier"]


def check_counts(rules: DialogueRules, agent: str, system: str, seed: int) -> None:
    """The numbers of rounds and messages are those of the table."""
    protocol = rules.protocol
    table = protocol.active[protocol.variant(seed)].any(axis=-1)
    num_messages = len(turns_that_are_read(rules, agent, seed))
    num_questions = int(table[:, protocol.agent_names.index("verifier")].sum())
    assert num_questions == protocol.max_verifier_questions
    if protocol.num_episode_rounds > 1:
        pattern = r"The conversation has at most (\d+) rounds"
        assert stated_number(pattern, system) == protocol.num_episode_rounds
    if num_questions == 1:
        assert "message" in system
        assert "in any of your messages" not in system
    elif agent == "verifier":
        assert stated_number(r"You write at most (\d+) messages", system) == num_messages
    else:
        assert stated_number(r"you at most (\d+)", system) == num_messages
        assert stated_number(r"Verifier at most (\d+)", system) == num_questions
    check_order(rules, agent, system, seed)


def check_order(rules: DialogueRules, agent: str, system: str, seed: int) -> None:
    """The stated order, repeated to the end, is the table."""
    protocol = rules.protocol
    found = re.search(r"in which the order is: (.*?)(, and so on)?\.", system)
    if protocol.name == "solo_verifier":
        assert found is None
        return
    assert found is not None
    names = {**SHOWN[protocol.name], agent: "you"}
    if protocol.name == "merlin_arthur" and agent == "verifier":
        names |= dict.fromkeys(protocol.prover_names, "an anonymous prover")
    stated = []
    for step in found[1].split(", then "):
        together = step.removesuffix(" at the same time")
        stated.append(set(together.split(" and ")))
        assert (len(stated[-1]) > 1) == (together != step)
    table = protocol.active[protocol.variant(seed)].any(axis=-1)
    for round_ in range(protocol.num_episode_rounds):
        writers = {
            names[name] for name, on in zip(protocol.agent_names, table[round_], strict=True) if on
        }
        assert writers == stated[round_ % len(stated)]
    assert bool(found[2]) == (protocol.num_episode_rounds > len(stated))


def check_last_turn(rules: DialogueRules, agent: str, round_: int, last: str, seed: int) -> None:
    """The verifier is told to decide in its last round, and only there."""
    protocol = rules.protocol
    is_last = round_ == turns_that_are_read(rules, agent, seed)[-1]
    assert ("You must decide now." in last) == (is_last and agent == "verifier")
    if "prover" in agent and protocol.name in GROUPS:
        assert ("This is your last message." in last) == is_last
    is_too_early = agent == "verifier" and round_ < protocol.min_message_rounds - 1
    assert ("You cannot decide in this message yet." in last) == is_too_early


def check_decision(rules: DialogueRules, agent: str, system: str, last: str) -> None:
    """The format that is asked for is the one that is read."""
    if agent != "verifier":
        assert "Decision:" not in system + last
        return
    protocol = rules.protocol
    asked_for = re.findall(r"`(Decision: \w+)`", system)
    assert asked_for == ["Decision: reject", "Decision: accept"]
    form = Conversation(rules, DATAPOINT, 0).answer_form("verifier", _first_decisive(rules))
    assert [parse_answer(line, form).decision for line in asked_for] == [0, 1]
    turns = protocol.active[0, :, protocol.agent_names.index("verifier")].any(axis=-1).nonzero()[0]
    num_early = int((turns < protocol.min_message_rounds - 1).sum())
    if len(turns) == 1:
        assert "Your message must end with your decision." in system
    else:
        assert ("You may decide in any of your messages" in system) == (num_early == 0)
        assert ("You cannot decide in your first message" in system) == (num_early == 1)
        assert (f"You cannot decide in your first {num_early} messages" in system) == (
            num_early > 1
        )
        assert "must decide in the last of them at the latest" in system


def _first_decisive(rules: DialogueRules) -> int:
    protocol = rules.protocol
    writes = protocol.active[0, :, protocol.agent_names.index("verifier")].any(axis=-1)
    return next(
        round_
        for round_, on in enumerate(writes)
        if on and round_ >= protocol.min_message_rounds - 1
    )


def check_headers(rules: DialogueRules, agent: str, system: str) -> None:
    """An agent that writes on several channels at once is shown an answer that would be read."""
    shown = re.search(r"like this:\n\n(.*?)\n\nAll headers must be there", system, re.DOTALL)
    index = rules.protocol.agent_names.index(agent)
    writes_on_several = rules.protocol.active[:, :, index].sum(axis=-1).max() > 1
    assert (shown is not None) == writes_on_several
    if shown is not None:
        form = Conversation(rules, DATAPOINT, 0).answer_form(agent, _first_decisive(rules))
        assert parse_answer(shown[1], form).channel_texts == {
            "prover0_channel": "<your message to Expert 1>",
            "prover1_channel": "<your message to Expert 2>",
        }


@pytest.mark.parametrize("protocol", PLAYABLE)
def test_nobody_is_told_the_label(protocol: str) -> None:
    rules = rules_of(protocol)
    for seed in (0, 1):
        prompts = [
            {
                agent: Conversation(rules, replace(DATAPOINT, y=y), seed).system_prompt(agent)
                for agent in rules.protocol.agent_names
            }
            for y in (0, 1)
        ]
        assert prompts[0] == prompts[1]


@pytest.mark.parametrize("protocol", ["nip", "adp"])
@pytest.mark.parametrize("stance", [0, 1])
def test_a_random_stance_is_told_to_the_prover_and_to_the_verifier(protocol, stance) -> None:
    rules = rules_of(protocol, protocol_common={"randomize_prover_stance": True})
    conversation = Conversation(rules, replace(DATAPOINT, prover_stance=stance), 0)
    for decision in (0, 1):
        paid = rules.episode.step(
            y=1, stance=stance, round=_first_decisive(rules), seed=0, decision=decision, value=None
        ).rewards[0]
        claim, verdict = CLAIMS[decision], VERDICTS[decision]
        told = [
            f"You argue that the solution is {claim}. You are rewarded if Verifier {verdict}s"
            in conversation.system_prompt("prover"),
            f"Prover argues that the solution is {claim}, and is rewarded if you {verdict} it"
            in conversation.system_prompt("verifier"),
        ]
        assert told == [paid == 1.0] * 2


@pytest.mark.parametrize("protocol", PLAYABLE)
def test_with_a_shared_reward_nobody_takes_sides(protocol: str) -> None:
    rules = rules_of(protocol, protocol_common={"shared_reward": True})
    for seed in (0, 1):
        for (agent, _), (system, _) in render(rules, seed).items():
            assert "argue that" not in system
            assert "argues that" not in system
            if agent == "verifier":
                num_provers = len(rules.protocol.prover_names)
                assert system.count("is rewarded if your decision is right.") == num_provers
            else:
                assert "you are rewarded if the decision is right" in system


@pytest.mark.parametrize("scale", DECISION_SCALES)
@pytest.mark.parametrize("protocol", PLAYABLE)
def test_the_scale_is_told_where_the_verifier_decides(protocol: str, scale: str) -> None:
    rules = rules_of(protocol, code_validation={"decision_scale": scale})
    seen = render(rules, 0)
    last_round = max(round_ for agent, round_ in seen if agent == "verifier")
    system, last = seen["verifier", last_round]
    for text in (system, last):
        assert rules.scale.instruction in text
    words = re.findall(r"`(Decision: [^`]+)`", last)
    form = Conversation(rules, DATAPOINT, 0).answer_form("verifier", last_round)
    if "out_of" in scale:
        assert words == ["Decision: N"]
        words = [f"Decision: {number}" for number in (0, int(scale.removeprefix("out_of_")))]
    values = [parse_answer(word, form).value for word in words]
    assert values[0] == -1.0
    assert values[-1] == 1.0
    assert values == sorted(values)


def test_linear_rewards_are_told() -> None:
    changes = {"decision_scale": "out_of_100", "linear_reward": True}
    rules = rules_of("debate", code_validation=changes)
    conversation = Conversation(rules, DATAPOINT, 0)
    prover0, prover1, verifier = map(conversation.system_prompt, rules.protocol.agent_names)
    assert "in proportion to how far the decision lies towards rejection." in prover0
    assert "in proportion to how far the decision lies towards acceptance." in prover1
    assert "Your reward grows in proportion" in verifier
    assert "in proportion" not in Conversation(rules_of("debate"), DATAPOINT, 0).system_prompt(
        "verifier"
    )


def test_nothing_is_escaped() -> None:
    datapoint = replace(DATAPOINT, question="Is a < b & c > 'd'? Pay $5 to $name.", solution="x<1")
    system = Conversation(rules_of("nip"), datapoint, 0).system_prompt("prover")
    assert "Is a < b & c > 'd'? Pay $5 to $name." in system
    assert "<solution>\nx<1\n</solution>" in system


def test_every_protocol_is_playable_or_known_not_to_be() -> None:
    builtin = [
        name
        for name in protocol_registry.names()
        if protocol_registry[name].__module__.startswith("nip.")
    ]
    assert sorted({*PLAYABLE, "multi_channel_test"}) == builtin


@pytest.mark.parametrize("protocol", PLAYABLE)
def test_names_of_agents_are_those_of_the_specs(protocol: str) -> None:
    shown = {name: spec.shown_name for name, spec in rules_of(protocol).specs.items()}
    assert shown == SHOWN[protocol]
    assert list(shown) == list(build_protocol_handler(text_params(protocol)).agent_names)
