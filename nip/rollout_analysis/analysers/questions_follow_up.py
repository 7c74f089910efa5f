"""Whether later questions of the verifier refer to earlier answers."""

from pathlib import Path

from nip.protocols.handler import ProtocolHandler
from nip.protocols.rules import Decision
from nip.rollout_analysis.analyser import ModelAnalyser
from nip.rollout_analysis.registry import register_analyser
from nip.rollout_analysis.subject import Subject


@register_analyser("questions_follow_up")
class QuestionsFollowUp(ModelAnalyser):
    """Whether later questions of the verifier refer to earlier answers."""

    question = "later questions take up earlier answers"
    prompt = Path(__file__).parents[1] / "prompts" / "questions_follow_up.txt"

    def agents(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return the verifier if there are provers to answer it."""
        return protocol.verifier_names if protocol.prover_names else ()

    def applies(self, subject: Subject) -> bool:
        """Require a message of the verifier, other than its decision, after an answer."""
        answered = False
        for message in subject.rollout.messages:
            if message.agent != subject.agent:
                answered = answered or bool(message.text)
            elif answered and message.text and message.decision == Decision.CONTINUE:
                return True
        return False
