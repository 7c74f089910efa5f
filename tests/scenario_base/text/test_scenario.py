"""A text scenario builds its agents and rules from the specs registered for it."""

import pytest

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.protocols import build_protocol_handler
from nip.scenario_base.text.agent_spec import TextAgentSpec
from nip.scenario_base.text.agent_spec_registry import agent_spec_registry, register_agent_specs
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenario_base.text.dialogue_rules import DialogueOptions
from nip.scenario_base.text.scenario import TextScenario
from tests.scenario_base.text.dialogues import PROMPTS, text_params


class Judging(TextScenario):
    """A scenario whose provers and verifiers have prompts in their specs."""

    name = "judging"
    prompts = PROMPTS

    def load_dataset(self, split: str) -> TextDataset:
        return TextDataset([])

    def dialogue_options(self) -> DialogueOptions:
        return DialogueOptions(decision_scale="out_of_10", linear_reward=True)


@pytest.fixture
def judging_specs():
    @register_agent_specs("judging", "nip")
    def specs(_protocol) -> dict[str, TextAgentSpec]:
        prompt = "$question $solution $decision_instruction"
        return {
            name: TextAgentSpec(shown_name=name.upper(), prompt=prompt)
            for name in ("verifier", "prover")
        }

    yield
    agent_spec_registry.unregister("judging/nip")


def scenario(params: HyperParameters) -> Judging:
    return Judging(params, ExperimentSettings())


@pytest.mark.usefixtures("judging_specs")
def test_agents_come_in_the_order_of_the_protocol_with_their_specs() -> None:
    params = text_params("nip")
    agents = scenario(params).build_agents(build_protocol_handler(params))
    shown = {name: agent.spec.shown_name for name, agent in agents.items()}
    assert list(shown.items()) == [("prover", "PROVER"), ("verifier", "VERIFIER")]


@pytest.mark.usefixtures("judging_specs")
def test_the_rules_have_the_options_of_the_scenario() -> None:
    params = text_params("nip")
    rules = scenario(params).dialogue_rules(build_protocol_handler(params))
    assert rules.scale.words_for(1) == "10"
    assert rules.episode.is_linear
    assert rules.prompts["prover"].text.startswith("$question")


@pytest.mark.usefixtures("judging_specs")
def test_the_digest_of_the_prompts_is_that_of_the_rules() -> None:
    params = text_params("nip")
    handler = build_protocol_handler(params)
    assert (
        scenario(params).prompts_digest(handler) == scenario(params).dialogue_rules(handler).digest
    )


def test_a_protocol_without_specs_is_refused() -> None:
    params = text_params("nip")
    with pytest.raises(ParameterError, match="cannot be played in words"):
        scenario(params).build_agents(build_protocol_handler(params))


def test_by_default_there_is_nothing_to_check_about_the_data() -> None:
    assert scenario(text_params("nip")).check_dataset() is None
