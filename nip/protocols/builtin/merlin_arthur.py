"""Merlin-Arthur classification: one of two provers speaks, and the verifier cannot choose which."""

from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import register_protocol
from nip.protocols.rules import Decision, ProtocolRules


@register_protocol(
    "merlin_arthur", reads=(), has_fixed_order=True, agents=("prover0", "prover1", "verifier")
)
class MerlinArthurProtocol(ProtocolHandler):
    """The episode seed picks the prover that sends one message; then the verifier decides.

    ``prover0`` speaks when the seed is even, ``prover1`` when it is odd. ``prover0`` is paid if
    the verifier rejects, ``prover1`` if it accepts, also the one that was silent.

    References
    ----------
    Wäldchen, Sharma, Turan, Zimmer, Pokutta: Interpretability Guarantees with Merlin-Arthur
    Classifiers (2024).
    """

    def make_rules(self) -> ProtocolRules:
        """State the protocol."""
        agents = ("prover0", "prover1", "verifier")
        verifier = {"verifier": ("main",)}
        return ProtocolRules(
            agents=agents,
            channels={"main": agents},
            timetables=(({"prover0": ("main",)}, verifier), ({"prover1": ("main",)}, verifier)),
            max_message_rounds=2,
            prover_goals={"prover0": Decision.REJECT, "prover1": Decision.ACCEPT},
        )
