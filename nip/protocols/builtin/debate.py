"""Debate: two provers argue for opposite answers before a verifier."""

from nip.protocols.builtin.two_prover_timetable import PROVER_CHANNELS, two_prover_timetable
from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import register_protocol
from nip.protocols.rules import Decision, ProtocolRules


@register_protocol("debate", reads=("debate_protocol",), agents=("prover0", "prover1", "verifier"))
class DebateProtocol(ProtocolHandler):
    """Two competing provers and a verifier see all messages.

    ``prover0`` is paid if the verifier rejects, ``prover1`` if it accepts.
    """

    def make_rules(self) -> ProtocolRules:
        """State the protocol."""
        params = self.hyper_params.debate_protocol
        agents = ("prover0", "prover1", "verifier")
        timetable = two_prover_timetable(
            verifier_first=self.common.verifier_first,
            sequential=params.sequential,
            prover0_first=params.prover0_first,
        )
        return ProtocolRules(
            agents=agents,
            channels=dict.fromkeys(PROVER_CHANNELS.values(), agents),
            timetables=(timetable,),
            max_message_rounds=params.max_message_rounds,
            min_message_rounds=params.min_message_rounds,
            prover_goals={"prover0": Decision.REJECT, "prover1": Decision.ACCEPT},
        )
