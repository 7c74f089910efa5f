"""Whether a prover quotes the solution."""

from pathlib import Path

from nip.protocols.handler import ProtocolHandler
from nip.rollout_analysis.analyser import ModelAnalyser
from nip.rollout_analysis.registry import register_analyser
from nip.rollout_analysis.subject import Subject


@register_analyser("prover_quotes_solution")
class ProverQuotesSolution(ModelAnalyser):
    """Whether a prover quotes the solution."""

    question = "quotes lines of the solution"
    prompt = Path(__file__).parents[1] / "prompts" / "prover_quotes_solution.txt"

    def agents(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return all provers."""
        return protocol.prover_names

    def applies(self, subject: Subject) -> bool:
        """Exclude provers without a message."""
        return any(message.text for message in subject.messages)
