"""The chat messages of an agent show the parts of a dialogue that it may read."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.rollout import MessageRecord
from tests.scenario_base.text.dialogues import DATAPOINT, PLAYABLE, rules_of

OPTIONS = [
    {},
    {"protocol_common": {"verifier_first": False}},
    {
        "debate_protocol": {"sequential": True, "prover0_first": False},
        "mnip_protocol": {"sequential": True},
        "nip_protocol": {"max_message_rounds": 5, "min_message_rounds": 3},
    },
]


def said_in(conversation: Conversation, num_rounds: int, empty: frozenset[int] = frozenset()):
    """Let every agent say in each round who it is and where; in some rounds, say nothing."""
    said = []
    for round_ in range(num_rounds):
        for agent, channels in conversation.rules.episode.writers(
            round_, conversation.seed
        ).items():
            is_empty = round_ in empty
            texts = {each: "" if is_empty else f"{agent} {round_} {each}" for each in channels}
            text = "" if is_empty else f"raw {agent} {round_}"
            said.append(MessageRecord(round_, agent, text, texts, is_invalid=is_empty))
    return said


@pytest.mark.parametrize("protocol", PLAYABLE)
@pytest.mark.parametrize("options", OPTIONS, ids=["default", "prover_first", "sequential"])
@settings(max_examples=10)
@given(seed=st.integers(0, 7), empty=st.frozensets(st.integers(0, 7)))
def test_roles_alternate_nothing_is_empty_and_the_past_stays(protocol, options, seed, empty):
    conversation = Conversation(rules_of(protocol, **options), DATAPOINT, seed)
    num_rounds = conversation.rules.protocol.num_episode_rounds
    said = said_in(conversation, num_rounds, empty)
    for agent in conversation.rules.protocol.agent_names:
        earlier: list = []
        for round_ in conversation.rules.episode.turns(agent, seed):
            messages = conversation.messages_for(agent, round_, said)
            roles = [message["role"] for message in messages]
            num_pairs = (len(roles) - 2) // 2
            assert roles == ["system", *["user", "assistant"] * num_pairs, "user"]
            assert all(message["content"].strip() for message in messages)
            assert messages[: len(earlier)] == earlier
            present = [each for each in said if each.round < round_]
            assert messages == conversation.messages_for(agent, round_, present)
            earlier = messages


def contents(conversation: Conversation, agent: str, round_: int, said) -> list[str]:
    return [message["content"] for message in conversation.messages_for(agent, round_, said)[1:]]


def test_an_agent_that_opens_is_told_to_begin() -> None:
    conversation = Conversation(rules_of("nip"), DATAPOINT, 0)
    assert contents(conversation, "verifier", 0, []) == ["Begin."]


def test_others_are_labelled_and_own_messages_are_as_they_were_written() -> None:
    conversation = Conversation(rules_of("nip"), DATAPOINT, 0)
    said = said_in(conversation, 2)
    assert contents(conversation, "verifier", 2, said) == [
        "Begin.",
        "raw verifier 0",
        "[Prover]\n> prover 1 main",
    ]


def test_messages_of_one_round_appear_together_after_it() -> None:
    conversation = Conversation(rules_of("debate"), DATAPOINT, 0)
    said = said_in(conversation, 2)
    questions = (
        "[Verifier to Expert 1]\n> verifier 0 prover0_channel\n\n"
        "[Verifier to Expert 2]\n> verifier 0 prover1_channel"
    )
    assert contents(conversation, "prover1", 1, said) == [questions]
    third = contents(conversation, "prover1", 3, said_in(conversation, 3))[-1]
    assert third.startswith("[Expert 1]\n> prover0 1 prover0_channel\n\n[Verifier to Expert 1]")


def test_provers_of_mnip_do_not_hear_each_other() -> None:
    conversation = Conversation(rules_of("mnip"), DATAPOINT, 0)
    said = said_in(conversation, 3)
    assert contents(conversation, "prover0", 3, said) == [
        "[Verifier]\n> verifier 0 prover0_channel",
        "raw prover0 1",
        "[Verifier]\n> verifier 2 prover0_channel",
    ]


def test_an_empty_message_leaves_no_answer_on_its_own_channel_only() -> None:
    conversation = Conversation(rules_of("debate"), DATAPOINT, 0)
    said = said_in(conversation, 2)
    said[1] = MessageRecord(1, "prover0", "", {"prover0_channel": ""}, is_invalid=True)
    order = conversation.channels("verifier")
    texts = {
        "prover0_channel": "[Expert 1]\n(no answer)",
        "prover1_channel": "[Expert 2]\n> prover1 1 prover1_channel",
    }
    assert contents(conversation, "verifier", 2, said)[-1] == "\n\n".join(
        texts[channel] for channel in order
    )
    # Its own past shows the same to the agent that had no answer.
    assert contents(conversation, "prover0", 3, [*said, *said_in(conversation, 3)[3:]])[1] == (
        "(no answer)"
    )


def test_who_hears_nothing_between_two_messages_is_told_to_go_on() -> None:
    rules = rules_of("nip")
    conversation = Conversation(rules, DATAPOINT, 0)
    only_own = [each for each in said_in(conversation, 2) if each.agent == "verifier"]
    assert contents(conversation, "verifier", 2, only_own)[-1] == "Go on."


def test_the_seed_shuffles_the_channels_of_a_verifier_of_two() -> None:
    rules = rules_of("debate")
    orders = {Conversation(rules, DATAPOINT, seed).channels("verifier") for seed in range(20)}
    assert orders == {
        ("prover0_channel", "prover1_channel"),
        ("prover1_channel", "prover0_channel"),
    }
    fixed = rules_of("debate", debate_protocol={"randomize_channel_order": False})
    for seed in range(20):
        assert Conversation(fixed, DATAPOINT, seed).channels("verifier") == (
            "prover0_channel",
            "prover1_channel",
        )
        assert Conversation(rules, DATAPOINT, seed).channels("prover0")[0] == "prover0_channel"


def test_one_order_of_channels_holds_in_the_whole_prompt() -> None:
    rules = rules_of("mnip")
    for seed in range(6):
        conversation = Conversation(rules, DATAPOINT, seed)
        said = said_in(conversation, 2)
        system, _, own, heard = (
            message["content"] for message in conversation.messages_for("verifier", 2, said)
        )
        is_first = conversation.channels("verifier")[0] == "prover0_channel"
        for text in (system[system.index("like this:") :], own, heard):
            assert (text.index("Expert 1]") < text.index("Expert 2]")) == is_first
        argues = [system.index(f"Expert {number} argues") for number in (1, 2)]
        assert (argues[0] < argues[1]) == is_first


def test_own_messages_can_be_put_together_from_their_channels() -> None:
    rules = rules_of("debate", debate_protocol={"randomize_channel_order": False})
    conversation = Conversation(rules, DATAPOINT, 0)
    own = contents(conversation, "verifier", 2, said_in(conversation, 2))[1]
    assert own == (
        "[to Expert 1]\nverifier 0 prover0_channel\n\n[to Expert 2]\nverifier 0 prover1_channel"
    )
    specs = {**rules.specs, "prover0": replace(rules.specs["prover0"], own_past="by_channel")}
    conversation = Conversation(replace(rules, specs=specs), DATAPOINT, 0)
    assert contents(conversation, "prover0", 3, said_in(conversation, 3))[1] == (
        "prover0 1 prover0_channel"
    )


def test_the_writer_of_merlin_arthur_stays_unknown() -> None:
    seen = set()
    for seed in (0, 1):
        conversation = Conversation(rules_of("merlin_arthur"), DATAPOINT, seed)
        said = [replace(each, channel_texts={"main": "x"}) for each in said_in(conversation, 1)]
        seen.add(str(conversation.messages_for("verifier", 1, said)))
    assert len(seen) == 1
    assert "[Anonymous]\\n> x" in seen.pop()


def test_an_example_to_learn_from_ends_with_the_last_own_message_that_is_not_empty() -> None:
    conversation = Conversation(rules_of("nip"), DATAPOINT, 0)
    said = said_in(conversation, 6, empty=frozenset([4]))
    example = conversation.training_messages("verifier", said)
    assert example == [
        *conversation.messages_for("verifier", 2, said),
        {"role": "assistant", "content": "raw verifier 2"},
    ]
    assert conversation.training_messages("prover", said[:1]) is None


@pytest.mark.parametrize("protocol", ["nip", "debate", "mnip"])
@settings(max_examples=20)
@given(asked=st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=8))
def test_messages_do_not_depend_on_what_was_asked_for_before(protocol, asked) -> None:
    """The branches of a tree share a conversation, and a provider may change what it gets."""
    shared = Conversation(rules_of(protocol), DATAPOINT, 0)
    said = said_in(shared, shared.rules.protocol.num_episode_rounds)
    other = [*said[:3], *(replace(each, channel_texts={"main": "No."}) for each in said[3:])]
    for round_, takes_other in asked:
        branch = other if takes_other else said
        for agent in shared.rules.protocol.agent_names:
            messages = shared.messages_for(agent, round_, branch)
            fresh = Conversation(shared.rules, DATAPOINT, 0)
            assert messages == fresh.messages_for(agent, round_, branch)
            for message in messages:
                message["content"] = "changed by a provider"


def test_a_round_that_was_incomplete_is_read_again() -> None:
    shared = Conversation(rules_of("debate"), DATAPOINT, 0)
    said = said_in(shared, 4)
    first = next(n for n, each in enumerate(said) if said[n + 1].round == each.round)
    for agent in shared.rules.protocol.agent_names:
        shared.messages_for(agent, 4, said[: first + 1])
        fresh = Conversation(shared.rules, DATAPOINT, 0)
        assert shared.messages_for(agent, 4, said) == fresh.messages_for(agent, 4, said)
