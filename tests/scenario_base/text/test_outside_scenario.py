"""A text scenario in one plugin file works like the built-in one."""

import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from nip.errors import ParameterError
from nip.parameters import HyperParameters
from nip.parameters.specs import scenario_specs
from nip.plugins import load_plugins
from nip.run import run_experiment
from nip.scenario_base.registry import scenario_registry
from nip.scenario_base.text.agent_spec_registry import agent_spec_registry
from tests.text_experiments import text_settings

FILE = Path(__file__).with_name("outside_scenario.py")


@pytest.fixture(autouse=True)
def outside_scenario():
    """Load the file as a plugin, and forget it afterwards."""
    load_plugins([str(FILE)])
    yield
    for registry in (scenario_registry, scenario_specs):
        registry.unregister("riddles")
    agent_spec_registry.unregister("riddles/nip")
    del sys.modules[FILE.stem]


def riddles(tmp_path: Path, **changes) -> HyperParameters:
    """Rehearse one iteration in which every teacher gives 8 of 10 marks at once."""
    answers = tmp_path / "answers.yaml"
    answers.write_text('otherwise: "It looks right.\\n\\nDecision: 8"\n')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return HyperParameters(
            scenario="riddles",
            trainer="pure_text_ei",
            dataset="made on the fly",
            agents={"_default": {"use_dummy_api": True}},
            rl={"num_iterations": 1},
            rehearsal={"brain_file": str(answers)},
            **changes,
        )


def test_it_decides_and_pays_as_the_scenario_says(tmp_path):
    common = {"verifier_reward": 2.0, "verifier_incorrect_penalty": -4.0}
    params = riddles(tmp_path, protocol_common=common)
    result = run_experiment(params, run_id="r", settings=text_settings(tmp_path))
    # 8 of 10 marks are 0.6 on the scale from -1 to 1, and half of the six answers are right.
    assert result.metrics["mean_decision"] == pytest.approx(0.6)
    assert result.metrics["mean_accuracy"] == 0.5
    assert result.metrics["prover.mean_episode_reward"] == pytest.approx(0.8)
    right, wrong = 0.2 * -4 + 0.8 * 2, 0.2 * 2 + 0.8 * -4
    assert result.metrics["verifier.mean_episode_reward"] == pytest.approx((right + wrong) / 2)


def test_nothing_of_code_validation_is_said_or_chosen(tmp_path):
    params = riddles(tmp_path, code_validation={"decision_scale": "likert_5"})
    result = run_experiment(params, run_id="r", settings=text_settings(tmp_path))
    (path,) = (result.folder / "transcripts").iterdir()
    text = path.read_text()
    assert "whole number from 0 (certainly reject) to 10" in text
    assert len(yaml.safe_load(text)) == 6
    assert "undecided" not in text
    assert "Python" not in text


def test_a_scenario_without_prompts_is_told_which_agent_needs_one(tmp_path, monkeypatch):
    cls = scenario_registry["riddles"]
    monkeypatch.delattr(cls, "prompts")
    run_experiment(riddles(tmp_path), run_id="r", settings=text_settings(tmp_path))
    specs = agent_spec_registry["riddles/nip"]

    def without_prompts(protocol):
        return {name: replace(spec, prompt=None) for name, spec in specs(protocol).items()}

    monkeypatch.setitem(agent_spec_registry._entries, "riddles/nip", without_prompts)
    with pytest.raises(ParameterError, match=r"Agent 'prover' .*'riddles' has no attribute `prom"):
        run_experiment(riddles(tmp_path), run_id="s", settings=text_settings(tmp_path))
