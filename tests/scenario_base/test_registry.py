"""Scenarios of tensors and of texts are registered in one place."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from nip.errors import PluginError
from nip.parameters import TextAgentParameters, ToyAgentParameters, scenario_specs
from nip.scenario_base.registry import register_scenario, scenario_registry
from nip.scenario_base.scenario import Scenario
from nip.scenario_base.text.scenario import TextScenario


@pytest.fixture
def name() -> Iterator[str]:
    yield "my_scenario"
    scenario_registry.unregister("my_scenario")
    scenario_specs.unregister("my_scenario")


def a_text_scenario() -> type[TextScenario]:
    return type("MyScenario", (TextScenario,), {"load_dataset": lambda self, split: None})


def test_a_scenario_from_outside_gets_a_spec_and_its_name(name: str) -> None:
    scenario = a_text_scenario()
    register_scenario(name, agent_parameters=TextAgentParameters, builtin_datasets=("riddles",))(
        scenario
    )
    assert scenario_registry[name] is scenario
    assert scenario.name == name
    spec = scenario_specs[name]
    assert (spec.data, spec.agent_parameters) == ("text", TextAgentParameters)
    assert spec.builtin_datasets == ("riddles",)
    # Which groups of built-in scenarios it reads is not known.
    assert spec.may_read("code_validation.decision_scale")


def test_the_kind_of_data_comes_from_the_base_class(name: str) -> None:
    scenario = type("MyScenario", (Scenario,), {})
    register_scenario(name, agent_parameters=ToyAgentParameters)(scenario)
    assert scenario_specs[name].data == "tensordict"


def test_the_name_of_a_built_in_scenario_is_taken() -> None:
    with pytest.raises(PluginError, match="'code_validation' is already registered"):
        register_scenario("code_validation")(a_text_scenario())


def test_looking_up_a_scenario_of_texts_imports_no_torch() -> None:
    script = (
        "import sys\n"
        "from nip.scenario_base.registry import scenario_registry\n"
        "scenario = scenario_registry['code_validation']\n"
        "loaded = [name for name in sys.modules if name.startswith('nip.scenarios.')]\n"
        "print(scenario.data, 'torch' in sys.modules, 'nip.scenarios.toy' in loaded)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "text False False\n"
