"""The agent specs of a protocol are found by scenario and protocol, in the protocol's order."""

import pytest

from nip.errors import ParameterError, ProtocolError
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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: {"prover": TextAgentSpec(shown_name="A", colour=1)},
            "argument 'colour'.*is_anony",
        ),
        (lambda: {"prover": TextAgentSpec()}, "missing.*'shown_name'"),
        (lambda: None, "must return a dictionary.*got None"),
        (lambda: {"prover": "A"}, "must return a dictionary"),
        (lambda: {"prover": TextAgentSpec(shown_name=None)}, "shown_name=None.*a string"),
        (lambda: {"prover": TextAgentSpec(shown_name="A", headers={"main": 1})}, "headers={'main"),
        (lambda: {"prover": TextAgentSpec(shown_name="A", headers=None)}, "headers=None"),
        (lambda: {"prover": TextAgentSpec(shown_name="A", is_anonymous="no")}, "True or False"),
        (lambda: {"prover": TextAgentSpec(shown_name="A", last_turn_note=None)}, "for no note"),
        (lambda: {"prover": TextAgentSpec(shown_name="A", own_past="all")}, "by_channel"),
        (lambda: {"prover": TextAgentSpec(shown_name="A", stance="accept")}, "0, 1 or None"),
        (lambda: {"prover": TextAgentSpec(shown_name="A", prompt=b"")}, "a string or None"),
        (lambda: {"prover": TextAgentSpec(shown_name="A", sees="question")}, "sees='question'"),
    ],
)
def test_specs_that_are_wrong_say_what_is_expected(make, message: str) -> None:
    register_agent_specs("of_tests", "nip")(lambda _protocol: make())
    try:
        with pytest.raises(ProtocolError, match=f"has for 'of_tests/nip'.*{message}"):
            make_agent_specs("of_tests", build_protocol_handler(text_params("nip")))
    finally:
        agent_spec_registry.unregister("of_tests/nip")


def test_other_errors_in_the_function_are_not_explained_away() -> None:
    register_agent_specs("of_tests", "nip")(lambda _protocol: len(3))
    try:
        with pytest.raises(TypeError, match=r"has no len\(\)"):
            make_agent_specs("of_tests", build_protocol_handler(text_params("nip")))
    finally:
        agent_spec_registry.unregister("of_tests/nip")
