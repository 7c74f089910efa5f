"""Agent specs of the built-in protocols, for scenarios with one verifier and expert provers."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from nip.protocols.handler import ProtocolHandler
from nip.protocols.rules import VERIFIER, Decision
from nip.scenario_base.text.agent_spec import DECIDE_NOW, TextAgentSpec, TextOfDatapoint
from nip.scenario_base.text.agent_spec_registry import register_agent_specs

ONLY_MESSAGE = "This is your only message. You must decide now."
"""System note for a verifier with a single turn."""


def register_standard_specs(
    scenario: str, *, verifier_sees: tuple[TextOfDatapoint, ...] = ("question", "solution")
) -> None:
    """Register the specs of all built-in text protocols for a scenario.

    Parameters
    ----------
    scenario : str
        Name of the scenario.
    verifier_sees : tuple of str
        Texts of the datapoint that the verifier sees; provers see both.
    """
    for protocol, make_specs in _STANDARD.items():
        register_agent_specs(scenario, protocol)(_with_sight(make_specs, verifier_sees))


def _with_sight(
    make_specs: Callable[[ProtocolHandler], dict[str, TextAgentSpec]],
    verifier_sees: tuple[TextOfDatapoint, ...],
) -> Callable[[ProtocolHandler], Mapping[str, TextAgentSpec]]:
    def make(protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
        specs = make_specs(protocol)
        return {**specs, VERIFIER: replace(specs[VERIFIER], sees=verifier_sees)}

    return make


def _nip_specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the specs of a verifier that questions one prover."""
    return {
        "prover": TextAgentSpec(shown_name="Prover", stance=Decision.ACCEPT),
        "verifier": TextAgentSpec(shown_name="Verifier", last_turn_note=DECIDE_NOW),
    }


def _adp_specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the specs of a prover with one message and a verifier that then decides."""
    return {
        "prover": TextAgentSpec(shown_name="Prover", last_turn_note="", stance=Decision.ACCEPT),
        "verifier": TextAgentSpec(shown_name="Verifier", last_turn_note=ONLY_MESSAGE),
    }


def _debate_specs(protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the specs of two experts that argue for opposite decisions on public channels."""
    params = protocol.hyper_params.debate_protocol
    return {
        "prover0": TextAgentSpec(shown_name="Expert 1", stance=Decision.REJECT),
        "prover1": TextAgentSpec(shown_name="Expert 2", stance=Decision.ACCEPT),
        "verifier": _verifier_of_two(params.randomize_channel_order),
    }


def _mnip_specs(protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the specs of a verifier that questions two experts on private channels."""
    params = protocol.hyper_params.mnip_protocol
    return {
        "prover0": TextAgentSpec(shown_name="Expert 1", stance=Decision.ACCEPT),
        "prover1": TextAgentSpec(shown_name="Expert 2", stance=Decision.ACCEPT),
        "verifier": _verifier_of_two(params.randomize_channel_order),
    }


def _merlin_arthur_specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
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


def _solo_verifier_specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
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


_STANDARD: dict[str, Callable[[ProtocolHandler], dict[str, TextAgentSpec]]] = {
    "adp": _adp_specs,
    "debate": _debate_specs,
    "merlin_arthur": _merlin_arthur_specs,
    "mnip": _mnip_specs,
    "nip": _nip_specs,
    "solo_verifier": _solo_verifier_specs,
}
