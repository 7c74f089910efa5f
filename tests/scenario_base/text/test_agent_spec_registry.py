"""The agent specs of a protocol are found by scenario and protocol, in the protocol's order."""

import pytest

from nip.errors import ParameterError
from nip.protocols import build_protocol_handler
from nip.scenario_base.text.agent_spec import TextAgentSpec
from nip.scenario_base.text.agent_spec_registry import (
    agent_spec_registry,
    make_agent_specs,
    register_agent_specs,
)
from tests.scenario_base.text.dialogues import PLAYABLE, text_params


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
