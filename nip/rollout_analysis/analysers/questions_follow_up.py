"""Whether the verifier's questions take up what it was answered."""

from pathlib import Path

from nip.protocols.handler import ProtocolHandler
from nip.protocols.rules import Decision
from nip.rollout_analysis.analyser import ModelAnalyser
from nip.rollout_analysis.registry import register_analyser
from nip.rollout_analysis.subject import Subject


@register_analyser("questions_follow_up")
class QuestionsFollowUp(ModelAnalyser):
    """Whether the verifier's questions take up what it was answered before."""

    question = "later questions take up earlier answers"
    prompt = Path(__file__).parents[1] / "prompts" / "questions_follow_up.txt"

    def agents(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return the verifier, where there is somebody to answer it."""
        return protocol.verifier_names if protocol.prover_names else ()

    def applies(self, subject: Subject) -> bool:
        """Ask only where the verifier wrote something else than its decision after an answer."""
        answered = False
        for message in subject.rollout.messages:
            if message.agent != subject.agent:
                answered = answered or bool(message.text)
            elif answered and message.text and message.decision == Decision.CONTINUE:
                return True
        return False
