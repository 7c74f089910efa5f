"""The scenario ``quotes``: a claim about a passage that only the provers see."""

from pathlib import Path

from nip.parameters.scenarios.quotes import QuotesParameters
from nip.protocols.handler import ProtocolHandler
from nip.protocols.rules import VERIFIER
from nip.scenario_base.registry import register_scenario
from nip.scenario_base.text.datapoint import TextDatapoint, TextDataset
from nip.scenario_base.text.dialogue_rules import DialogueOptions
from nip.scenario_base.text.scenario import RolloutMetrics, TextScenario
from nip.scenarios.quotes import agent_specs  # noqa: F401 - registers them
from nip.scenarios.quotes.metrics import SHARES, quotation_metrics
from nip.scenarios.quotes.passages import make_passages
from nip.scenarios.quotes.quotations import mark_quotations
from nip.utils.nested_array_dict import NestedArrayDict


@register_scenario("quotes")
class QuotesScenario(TextScenario):
    """A verifier judges a claim about a passage that it cannot see.

    Provers see the passage. What they put in quotation marks is compared with it, and marked as
    verified or not verified before the verifier reads it. This is the smallest form of debate with
    hidden information.

    References
    ----------
    Khan et al.: Debating with More Persuasive LLMs Leads to More Truthful Answers (2024).
    Kenton et al.: On Scalable Oversight with Weak LLMs Judging Strong LLMs (2024).
    """

    prompts = Path(__file__).parent / "prompts"
    rehearsal_rules = Path(__file__).parent / "rehearsal_rules.yaml"

    @property
    def params(self) -> QuotesParameters:
        """Parameters of the scenario."""
        params = self.hyper_params.quotes
        assert isinstance(params, QuotesParameters)
        return params

    def dialogue_options(self) -> DialogueOptions:
        """Return the options of the user, and the marking of quotations."""
        return DialogueOptions(
            **self.params.dialogue_options(),
            judged="claim",
            mark_message=_mark if self.params.verify_quotes else None,
        )

    def load_dataset(self, split: str) -> TextDataset:
        """Generate the ``train`` or ``test`` split."""
        size = self.params.num_train if split == "train" else self.params.num_test
        return make_passages(split, size, self.params.num_facts)

    def rollout_metrics(
        self, rollouts: NestedArrayDict, protocol: ProtocolHandler
    ) -> RolloutMetrics:
        """Return the shares of verified, fabricated and evasive messages of each prover."""
        return quotation_metrics(rollouts, protocol)

    def rollout_metric_names(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return the names of the shares."""
        return tuple(f"{prover}.{share}" for prover in protocol.prover_names for share in SHARES)


def _mark(datapoint: TextDatapoint, agent: str, text: str) -> str:
    """Mark the quotations of a prover; a verifier has nothing to quote."""
    return text if agent == VERIFIER else mark_quotations(text, datapoint.question)
