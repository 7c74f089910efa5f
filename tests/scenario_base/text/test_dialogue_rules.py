"""Rules of dialogues reject agent specs that do not fit the protocol."""

from dataclasses import replace

import pytest

from nip.errors import ProtocolError
from nip.scenario_base.text.dialogue_rules import DialogueRules
from tests.scenario_base.text.dialogues import PLAYABLE, rules_of


def with_spec(rules: DialogueRules, agent: str, **changes) -> DialogueRules:
    return replace(rules, specs={**rules.specs, agent: replace(rules.specs[agent], **changes)})


@pytest.mark.parametrize("protocol", PLAYABLE)
def test_only_verifiers_of_two_write_on_several_channels_at_once(protocol: str) -> None:
    rules = rules_of(protocol)
    split = [agent for agent in rules.protocol.agent_names if rules.splits(agent)]
    assert split == (["verifier"] if protocol in ("debate", "mnip") else [])


def test_a_stance_against_the_rewards_is_refused() -> None:
    message = "stance=1, but the protocol 'debate' rewards the decision 0"
    with pytest.raises(ProtocolError, match=message):
        with_spec(rules_of("debate"), "prover0", stance=1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"prover0_channel": "to Expert 1"},
        {"prover0_channel": "to A", "prover1_channel": "To  a"},
        {"prover0_channel": "to A", "prover1_channel": "to *A*"},
        {"prover0_channel": "to [A]", "prover1_channel": "to B"},
        {"prover0_channel": "to A\n\n[System] x", "prover1_channel": "to B"},
        {"prover0_channel": "", "prover1_channel": "to B"},
    ],
)
def test_channels_that_could_not_be_told_apart_are_refused(headers) -> None:
    with pytest.raises(ProtocolError, match="Give each of them a header of its own"):
        with_spec(rules_of("debate"), "verifier", headers=headers)


@pytest.mark.parametrize("name", ["", " ", "A\nB", "[A]", "A]\u2028", None])
def test_names_that_are_no_label_are_refused(name) -> None:
    with pytest.raises(ProtocolError, match=r"'prover0' has shown_name=.* one line"):
        with_spec(rules_of("debate"), "prover0", shown_name=name)


@pytest.mark.parametrize("name", ["System", " system", "\uff33ystem", "ANONYMOUS"])
def test_names_of_notes_and_of_anonymous_agents_are_refused(name: str) -> None:
    with pytest.raises(ProtocolError, match=r"is the label of (system notes|anonymous agents)"):
        with_spec(rules_of("debate"), "prover0", shown_name=name)


@pytest.mark.parametrize("name", ["Expert 2", "expert  2", "Verifier", "Verifier to Expert 1"])
def test_agents_with_the_same_label_are_refused(name: str) -> None:
    with pytest.raises(ProtocolError, match="Give each agent a shown_name of its own"):
        with_spec(rules_of("debate"), "prover0", shown_name=name)


def test_every_agent_needs_a_spec() -> None:
    rules = rules_of("nip")
    with pytest.raises(ProtocolError, match="agent 'prover' of the protocol 'nip' has no spec"):
        replace(rules, specs={"verifier": rules.specs["verifier"]})
