"""Whether the quotations of a prover are verbatim."""

from nip.protocols.handler import ProtocolHandler
from nip.rollout_analysis.analyser import ComputedAnalyser
from nip.rollout_analysis.quotations import is_quoted_accurately
from nip.rollout_analysis.registry import register_analyser
from nip.rollout_analysis.subject import Subject


@register_analyser("quotation_is_accurate")
class QuotationIsAccurate(ComputedAnalyser):
    """Whether all quotations of the solution by a prover are verbatim."""

    question = "quotes the solution word for word, if at all"

    def agents(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return all provers."""
        return protocol.prover_names

    def applies(self, subject: Subject) -> bool:
        """Exclude provers that quote nothing."""
        return self._is_accurate(subject) is not None

    def compute(self, subject: Subject) -> bool:
        """Compare the quotations with the solution."""
        return bool(self._is_accurate(subject))

    def _is_accurate(self, subject: Subject) -> bool | None:
        text = "\n".join(message.text for message in subject.messages)
        return is_quoted_accurately(text, subject.datapoint.solution)
