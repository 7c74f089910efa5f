"""Agent specs of the built-in protocols for code validation."""

from nip.protocols.handler import ProtocolHandler
from nip.protocols.rules import Decision
from nip.scenario_base.text.agent_spec import DECIDE_NOW, TextAgentSpec
from nip.scenario_base.text.agent_spec_registry import register_agent_specs

SCENARIO = "code_validation"

ONLY_MESSAGE = "This is your only message. You must decide now."
"""System note for a verifier with a single turn."""


@register_agent_specs(SCENARIO, "nip")
def nip_specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the specs of a verifier that questions one prover."""
    return {
        "prover": TextAgentSpec(shown_name="Prover", stance=Decision.ACCEPT),
        "verifier": TextAgentSpec(shown_name="Verifier", last_turn_note=DECIDE_NOW),
    }


@register_agent_specs(SCENARIO, "adp")
def adp_specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the specs of a prover with one message and a verifier that then decides."""
    return {
        "prover": TextAgentSpec(shown_name="Prover", last_turn_note="", stance=Decision.ACCEPT),
        "verifier": TextAgentSpec(shown_name="Verifier", last_turn_note=ONLY_MESSAGE),
    }


@register_agent_specs(SCENARIO, "debate")
def debate_specs(protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the specs of two experts that argue for opposite decisions on public channels."""
    params = protocol.hyper_params.debate_protocol
    return {
        "prover0": TextAgentSpec(shown_name="Expert 1", stance=Decision.REJECT),
        "prover1": TextAgentSpec(shown_name="Expert 2", stance=Decision.ACCEPT),
        "verifier": _verifier_of_two(params.randomize_channel_order),
    }


@register_agent_specs(SCENARIO, "mnip")
def mnip_specs(protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the specs of a verifier that questions two experts on private channels."""
    params = protocol.hyper_params.mnip_protocol
    return {
        "prover0": TextAgentSpec(shown_name="Expert 1", stance=Decision.ACCEPT),
        "prover1": TextAgentSpec(shown_name="Expert 2", stance=Decision.ACCEPT),
        "verifier": _verifier_of_two(params.randomize_channel_order),
    }


@register_agent_specs(SCENARIO, "merlin_arthur")
def merlin_arthur_specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the specs of two anonymous provers, one of which writes a single message."""
    return {
        "prover0": TextAgentSpec(
            shown_name="Prover 1", is_anonymous=True, last_turn_note="", stance=Decision.REJECT
        ),
        "prover1": TextAgentSpec(
            shown_name="Prover 2", is_anonymous=True, last_turn_note="", stance=Decision.ACCEPT
        ),
        "verifier": TextAgentSpec(shown_name="Verifier", last_turn_note=ONLY_MESSAGE),
    }


@register_agent_specs(SCENARIO, "solo_verifier")
def solo_verifier_specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the spec of a verifier that decides alone."""
    return {"verifier": TextAgentSpec(shown_name="Verifier", last_turn_note=ONLY_MESSAGE)}


def _verifier_of_two(shuffles_channels: bool) -> TextAgentSpec:
    return TextAgentSpec(
        shown_name="Verifier",
        headers={"prover0_channel": "to Expert 1", "prover1_channel": "to Expert 2"},
        shuffles_channels=shuffles_channels,
        last_turn_note=DECIDE_NOW,
        own_past="by_channel",
    )
