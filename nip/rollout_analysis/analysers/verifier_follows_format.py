"""Whether the verifier words its messages as it is told to."""

from nip.protocols.handler import ProtocolHandler
from nip.rollout_analysis.analyser import ComputedAnalyser
from nip.rollout_analysis.registry import register_analyser
from nip.rollout_analysis.subject import Subject


@register_analyser("verifier_follows_format")
class VerifierFollowsFormat(ComputedAnalyser):
    """Whether all messages of the verifier were valid at once, and none was cut."""

    question = "every message valid at the first attempt and none cut"

    def agents(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return the verifier."""
        return protocol.verifier_names

    def applies(self, subject: Subject) -> bool:
        """Leave out dialogues in which the verifier had no turn."""
        return bool(subject.messages)

    def compute(self, subject: Subject) -> bool:
        """Look at what was noted when the messages were read."""
        return not any(
            message.num_retries or message.is_invalid or message.is_cut
            for message in subject.messages
        )
