"""Abstract decision problem: one message, then the decision."""

from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import register_protocol
from nip.protocols.rules import ProtocolRules


@register_protocol("adp", reads=(), has_fixed_order=True, agents=("prover", "verifier"))
class AdpProtocol(ProtocolHandler):
    """The prover sends one message, and the verifier decides.

    The order is part of the protocol, which ignores ``protocol_common.verifier_first``.
    """

    def make_rules(self) -> ProtocolRules:
        """State the protocol."""
        return ProtocolRules(
            agents=("prover", "verifier"),
            channels={"main": ("prover", "verifier")},
            timetables=(({"prover": ("main",)}, {"verifier": ("main",)}),),
            max_message_rounds=2,
        )
