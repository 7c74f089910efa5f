"""The code validation scenario: whether a program solves a programming problem."""

from pathlib import Path

from nip.scenario_base.registry import register_scenario
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenario_base.text.dialogue_rules import DialogueOptions
from nip.scenario_base.text.scenario import TextScenario
from nip.scenarios.code_validation import agent_specs  # noqa: F401 - registers them
from nip.scenarios.code_validation.dataset import (
    check_code_validation_dataset,
    load_code_validation_dataset,
)


@register_scenario("code_validation")
class CodeValidationScenario(TextScenario):
    """A verifier decides whether a Python program solves a programming problem."""

    prompts = Path(__file__).parent / "prompts"
    rehearsal_rules = Path(__file__).parent / "rehearsal_rules.yaml"

    def dialogue_options(self) -> DialogueOptions:
        """Return the decision scale, the rewards and the prompts chosen by the user."""
        return DialogueOptions(**self.hyper_params.code_validation.dialogue_options())

    def check_dataset(self) -> None:
        """Check that the dataset exists, without reading it."""
        check_code_validation_dataset(self.hyper_params, self.settings)

    def load_dataset(self, split: str) -> TextDataset:
        """Return the ``train`` or ``test`` split."""
        return load_code_validation_dataset(self.hyper_params, self.settings, split)
