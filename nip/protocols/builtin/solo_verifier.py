"""The baseline without a prover."""

from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import register_protocol
from nip.protocols.rules import ProtocolRules


@register_protocol("solo_verifier", reads=(), has_fixed_order=True, agents=("verifier",))
class SoloVerifierProtocol(ProtocolHandler):
    """The verifier decides alone in the first round.

    An episode is one round. The message history has room for two, so that a verifier has the
    same inputs as in the other protocols of one message.
    """

    def make_rules(self) -> ProtocolRules:
        """State the protocol."""
        return ProtocolRules(
            agents=("verifier",),
            channels={"main": ("verifier",)},
            timetables=(({"verifier": ("main",)},),),
            max_message_rounds=2,
            num_episode_rounds=1,
        )
