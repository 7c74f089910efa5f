"""The code validation scenario is found by name and builds agents, rules and datasets."""

import subprocess
import sys
from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import ScenarioSpec, scenario_specs
from nip.parameters.scenarios.code_validation import CodeValidationAgentParameters
from nip.protocols import build_protocol_handler
from nip.scenario_base.registry import register_scenario, scenario_registry
from nip.scenario_base.text.datapoint import TextDatapoint, TextDataset, prover_stance_of
from nip.scenario_base.text.scenario import TextScenario
from tests.scenario_base.text.dialogues import PLAYABLE, PROMPTS, text_params


def scenario_of(tmp_path: Path, protocol: str = "nip", **changes) -> tuple[TextScenario, object]:
    params = text_params(protocol, **changes)
    settings = ExperimentSettings(data_dir=tmp_path, progress=False)
    scenario = scenario_registry["code_validation"](params, settings)
    return scenario, build_protocol_handler(params)


@pytest.mark.parametrize("protocol", PLAYABLE)
def test_agents_and_rules_of_every_playable_protocol_can_be_built(tmp_path, protocol) -> None:
    scenario, handler = scenario_of(tmp_path, protocol)
    agents, rules = scenario.build_agents(handler), scenario.dialogue_rules(handler)
    assert tuple(agents) == handler.agent_names
    assert all(agent.spec == rules.specs[name] for name, agent in agents.items())
    assert {agent.model.provider for agent in agents.values()} == {"openai"}


def test_the_datasets_have_stances_that_follow_from_the_solutions(tmp_path: Path) -> None:
    params = text_params("nip").with_changes({"dataset": "test"})
    scenario = scenario_registry["code_validation"](
        params, ExperimentSettings(data_dir=tmp_path, progress=False)
    )
    for split in ("train", "test"):
        dataset = scenario.load_dataset(split)
        assert {each.y for each in dataset} == {0, 1}
        assert all(each.prover_stance == prover_stance_of(each.solution) for each in dataset)


def test_a_protocol_without_a_text_side_is_refused_before_anything_is_asked(tmp_path) -> None:
    scenario, handler = scenario_of(tmp_path, "multi_channel_test")
    with pytest.raises(ParameterError, match="cannot be played in words"):
        scenario.build_agents(handler)


def test_the_digest_of_the_prompts_differs_between_protocols(tmp_path: Path) -> None:
    digests = set()
    for protocol in PLAYABLE:
        scenario, handler = scenario_of(tmp_path, protocol)
        assert scenario.prompts_digest(handler) == scenario.prompts_digest(handler)
        digests.add(scenario.prompts_digest(handler))
    assert len(digests) == len(PLAYABLE)


def test_another_scenario_of_texts_can_be_registered() -> None:
    facts = ScenarioSpec("text", CodeValidationAgentParameters, ("only",))
    try:

        @register_scenario(
            "proofs",
            agent_parameters=CodeValidationAgentParameters,
            builtin_datasets=("only",),
        )
        class Proofs(TextScenario):
            prompts = PROMPTS

            def load_dataset(self, split: str) -> TextDataset:
                return TextDataset([TextDatapoint("a", "q", "s", 1, 0)])

        assert scenario_registry["proofs"] is Proofs
        assert Proofs.name == "proofs"
        assert scenario_specs["proofs"] == facts
    finally:
        scenario_registry.unregister("proofs")
        scenario_specs.unregister("proofs")


def test_it_is_found_and_its_data_are_loaded_without_heavy_libraries() -> None:
    code = """
import sys
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.scenario_base.registry import scenario_registry
import nip.scenario_base.text.play, nip.scenario_base.text.response_tree
import nip.scenario_base.text.rollout_arrays
params = HyperParameters(scenario="code_validation", trainer="pure_text_ei", dataset="test")
scenario = scenario_registry["code_validation"](params, ExperimentSettings())
scenario.check_dataset()
print(type(scenario).__name__, len(scenario.load_dataset("train")))
print(*sorted({"torch", "pyarrow", "datasets"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["CodeValidationScenario 24", ""]
