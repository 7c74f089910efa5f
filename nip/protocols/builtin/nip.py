"""Neural interactive proof: one prover and one verifier in turn."""

from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import register_protocol
from nip.protocols.rules import ProtocolRules


@register_protocol("nip", reads=("nip_protocol",), agents=("prover", "verifier"))
class NipProtocol(ProtocolHandler):
    """A verifier questions one prover until it decides.

    The two take turns on one channel; ``protocol_common.verifier_first`` says who opens. The
    prover is paid if the verifier accepts.
    """

    def make_rules(self) -> ProtocolRules:
        """State the protocol."""
        params = self.hyper_params.nip_protocol
        prover, verifier = {"prover": ("main",)}, {"verifier": ("main",)}
        turns = (verifier, prover) if self.common.verifier_first else (prover, verifier)
        return ProtocolRules(
            agents=("prover", "verifier"),
            channels={"main": ("prover", "verifier")},
            timetables=(turns,),
            max_message_rounds=params.max_message_rounds,
            min_message_rounds=params.min_message_rounds,
        )
