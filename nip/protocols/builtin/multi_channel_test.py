"""A protocol for tests, with every kind of channel at once."""

from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import register_protocol
from nip.protocols.rules import ProtocolRules


@register_protocol(
    "multi_channel_test",
    reads=(),
    has_fixed_order=True,
    agents=("prover0", "prover1", "prover2", "verifier"),
)
class MultiChannelTestProtocol(ProtocolHandler):
    """Three provers and a verifier on a public, a private and a provers-only channel.

    Rounds repeat with period 3. First the verifier addresses everybody on ``main`` and
    ``prover0`` on ``prover0_verifier``. Then all three provers confer on ``prover_chat``. Then
    ``prover0`` answers on ``prover0_verifier``, and ``prover1`` and ``prover2`` on ``main``.
    The verifier's first turn is too early for a decision, and the eighth and last round belongs
    to the provers. All provers are paid if the verifier accepts.
    """

    def make_rules(self) -> ProtocolRules:
        """State the protocol."""
        provers = ("prover0", "prover1", "prover2")
        questions = {"verifier": ("main", "prover0_verifier")}
        conference = dict.fromkeys(provers, ("prover_chat",))
        answers = {
            "prover0": ("prover0_verifier",),
            "prover1": ("main",),
            "prover2": ("main",),
        }
        return ProtocolRules(
            agents=(*provers, "verifier"),
            channels={
                "main": (*provers, "verifier"),
                "prover0_verifier": ("prover0", "verifier"),
                "prover_chat": provers,
            },
            timetables=((questions, conference, answers),),
            max_message_rounds=8,
            min_message_rounds=2,
        )
