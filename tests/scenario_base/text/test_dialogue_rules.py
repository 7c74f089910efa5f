"""Specs of agents: which ones fit a protocol, and what is told of those that do not."""

from dataclasses import replace

import pytest

from nip.errors import ParameterError, ProtocolError
from nip.protocols import build_protocol_handler
from nip.scenario_base.text.agent import TextAgent, base_model_of
from nip.scenario_base.text.agent_spec import TextAgentSpec
from nip.scenario_base.text.agent_spec_registry import (
    agent_spec_registry,
    make_agent_specs,
    register_agent_specs,
)
from nip.scenario_base.text.dialogue_rules import DialogueRules
from tests.scenario_base.text.dialogues import PLAYABLE, agents_of, rules_of, text_params


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
    ],
)
def test_channels_that_could_not_be_told_apart_are_refused(headers) -> None:
    with pytest.raises(ProtocolError, match="Give each of them a header of its own"):
        with_spec(rules_of("debate"), "verifier", headers=headers)


def test_every_agent_needs_a_spec() -> None:
    rules = rules_of("nip")
    with pytest.raises(ProtocolError, match="agent 'prover' of the protocol 'nip' has no spec"):
        replace(rules, specs={"verifier": rules.specs["verifier"]})


def test_a_protocol_without_a_text_side_says_how_to_add_one() -> None:
    handler = build_protocol_handler(text_params("multi_channel_test"))
    with pytest.raises(ParameterError) as caught:
        make_agent_specs("code_validation", handler)
    message = str(caught.value)
    assert "'multi_channel_test' cannot be played in words" in message
    assert ", ".join(PLAYABLE) in message
    assert "@register_agent_specs('code_validation', 'multi_channel_test')" in message
    assert "doc/guides/new_text_protocol.md" in message


def test_specs_come_in_the_order_of_the_protocol() -> None:
    @register_agent_specs("of_tests", "nip")
    def specs(protocol) -> dict[str, TextAgentSpec]:
        return {name: TextAgentSpec(shown_name=name) for name in ("verifier", "prover")}

    try:
        handler = build_protocol_handler(text_params("nip"))
        assert list(make_agent_specs("of_tests", handler)) == ["prover", "verifier"]
    finally:
        agent_spec_registry.unregister("of_tests/nip")


def test_an_agent_begins_with_the_model_of_its_parameters() -> None:
    params = text_params(
        "nip",
        agents={
            "prover": {"model_provider": "OpenAI", "base_url": "http://localhost:1/v1"},
            "verifier": {"use_dummy_api": True, "model_name": "m"},
        },
    ).agents
    prover, verifier = (base_model_of(params[name]) for name in ("prover", "verifier"))
    assert (prover.provider, prover.base_url) == ("openai", "http://localhost:1/v1")
    assert (verifier.provider, verifier.model_name, verifier.base_url) == ("rehearsal", "m", None)


def test_an_agent_can_be_given_another_model() -> None:
    agents = agents_of(rules_of("nip"))
    changed = agents["prover"].with_model(agents["verifier"].model)
    assert isinstance(changed, TextAgent)
    assert (changed.model, changed.name) == (agents["verifier"].model, "prover")
