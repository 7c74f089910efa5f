"""Whether the messages of the verifier have the required format."""

from nip.protocols.handler import ProtocolHandler
from nip.rollout_analysis.analyser import ComputedAnalyser
from nip.rollout_analysis.registry import register_analyser
from nip.rollout_analysis.subject import Subject


@register_analyser("verifier_follows_format")
class VerifierFollowsFormat(ComputedAnalyser):
    """Whether all messages of the verifier were valid at the first attempt and complete."""

    question = "every message valid at the first attempt and none cut"

    def agents(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return the verifier."""
        return protocol.verifier_names

    def applies(self, subject: Subject) -> bool:
        """Exclude dialogues without a turn of the verifier."""
        return bool(subject.messages)

    def compute(self, subject: Subject) -> bool:
        """Check retries, validity and completeness of the messages."""
        return not any(
            message.num_retries or message.is_invalid or message.is_cut
            for message in subject.messages
        )
