"""Multi-prover neural interactive proof: two provers who do not see each other's messages."""

from nip.protocols.builtin.two_prover_timetable import PROVER_CHANNELS, two_prover_timetable
from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import register_protocol
from nip.protocols.rules import ProtocolRules


@register_protocol("mnip", reads=("mnip_protocol",), agents=("prover0", "prover1", "verifier"))
class MnipProtocol(ProtocolHandler):
    """A verifier questions two provers separately.

    The timetable is that of debate, but each prover sees only its own channel, and both are paid
    if the verifier accepts.
    """

    def make_rules(self) -> ProtocolRules:
        """State the protocol."""
        params = self.hyper_params.mnip_protocol
        timetable = two_prover_timetable(
            verifier_first=self.common.verifier_first,
            sequential=params.sequential,
            prover0_first=params.prover0_first,
        )
        return ProtocolRules(
            agents=("prover0", "prover1", "verifier"),
            channels={channel: (prover, "verifier") for prover, channel in PROVER_CHANNELS.items()},
            timetables=(timetable,),
            max_message_rounds=params.max_message_rounds,
            min_message_rounds=params.min_message_rounds,
        )
