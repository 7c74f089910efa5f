"""Trainers of language models in a plugin file work like built-in ones."""

import json
import sys
import warnings
from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.parameters import HyperParameters, parameter_groups, trainer_specs
from nip.parameters.parameters_base import parameter_classes
from nip.plugins import load_plugins
from nip.run import prepare_experiment, run_experiment
from nip.run_store import read_history
from nip.trainers.registry import trainer_registry
from nip.trainers.rl_pure_text_base import PureTextRlTrainer
from tests.text_experiments import make_text_params, text_settings

FILE = Path(__file__).with_name("outside_text_trainers.py")


@pytest.fixture(autouse=True)
def outside_trainer():
    """Load the file as a plugin, and forget it afterwards."""
    load_plugins([str(FILE)])
    yield
    for registry in (trainer_registry, trainer_specs, parameter_groups):
        registry.unregister("outside_text")
    parameter_classes.unregister("OutsideTextParameters")
    del sys.modules[FILE.stem]


def outside(**changes) -> HyperParameters:
    return make_text_params("outside_text", **changes)


def test_it_runs_with_its_own_statistics_and_jobs(tmp_path):
    result = run_experiment(outside(), run_id="r", settings=text_settings(tmp_path))
    history = read_history(result.folder)
    assert history.values("mean_bonus") == [(1, 0.5), (2, 0.5)]
    assert history.values("test_mean_bonus") == [(1, 0.5), (2, 0.5)]
    assert {"mean_accuracy", "completeness"} <= set(result.metrics)
    # One job for each of the two models after the first of two iterations, from all dialogues.
    files = sorted((result.folder / "fine_tuning").iterdir())
    assert [path.name for path in files] == [
        "iteration_0001_prover.jsonl",
        "iteration_0001_verifier.jsonl",
    ]
    examples = [[json.loads(line) for line in path.read_text().splitlines()] for path in files]
    # The verifier writes first, and may decide before the prover has said anything.
    assert 10 <= len(examples[0]) <= len(examples[1]) == 12
    assert {each["messages"][-1]["role"] for one in examples for each in one} == {"assistant"}


def test_its_parameters_decide_what_it_learns_from(tmp_path):
    some = {"share": 0.75}
    params = outside(
        outside_text=some, rl={"rollouts_per_iteration": 20}, text_rl={"test_scheme": "none"}
    )
    result = run_experiment(params, run_id="r", settings=text_settings(tmp_path))
    lines = (
        (result.folder / "fine_tuning" / "iteration_0001_verifier.jsonl").read_text().splitlines()
    )
    assert len(lines) == 15
    with pytest.raises(ParameterError, match=r"outside_text.*shore.*share"):
        outside(outside_text={"shore": 0.5})


def test_it_can_learn_from_all_rollouts_so_far(tmp_path):
    text_rl = {"fine_tune_on_all_previous_rollouts": True}
    params = outside(rl={"num_iterations": 3}, text_rl=text_rl)
    result = run_experiment(params, run_id="r", settings=text_settings(tmp_path))
    folder = result.folder / "fine_tuning"
    numbers = [
        len((folder / f"iteration_{iteration + 1:04d}_verifier.jsonl").read_text().splitlines())
        for iteration in range(2)
    ]
    assert numbers == [12, 24]


def test_interrupted_in_any_stage_it_ends_with_the_same_numbers(tmp_path, monkeypatch):
    straight = run_experiment(outside(), run_id="straight", settings=text_settings(tmp_path))
    original, stages = PureTextRlTrainer._do_stage, []

    def do_stage_and_stop(self, stage):
        original(self, stage)
        stages.append(stage)
        raise KeyboardInterrupt

    for _ in range(5 + 3):
        # Each start runs one stage, whose work counts only if the note that it is over is stored.
        monkeypatch.setattr(PureTextRlTrainer, "_do_stage", do_stage_and_stop)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(outside(), run_id="broken", settings=text_settings(tmp_path))
        monkeypatch.setattr(PureTextRlTrainer, "_do_stage", original)
        run_one_stage(tmp_path, monkeypatch)
    resumed = run_experiment(outside(), run_id="broken", settings=text_settings(tmp_path))
    assert resumed.metrics == straight.metrics
    assert stages == [
        "sample_rollouts",
        "log_stats",
        "test_during_training",
        "create_fine_tune_jobs",
        "await_fine_tune_jobs",
        "sample_rollouts",
        "log_stats",
        "test_during_training",
    ]


def run_one_stage(tmp_path, monkeypatch):
    """Go on for one stage, and be interrupted right after it."""
    original = PureTextRlTrainer._run_stage

    def run_stage_and_stop(self):
        original(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(PureTextRlTrainer, "_run_stage", run_stage_and_stop)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(outside(), run_id="broken", settings=text_settings(tmp_path))
    monkeypatch.setattr(PureTextRlTrainer, "_run_stage", original)


def test_it_can_be_planned_and_is_given_no_false_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        params = HyperParameters(
            scenario="code_validation",
            trainer="outside_text",
            dataset="test",
            agents={"_default": {"use_dummy_api": True}},
            rl={"num_iterations": 2, "rollouts_per_iteration": 7},
        )
    plan = prepare_experiment(params)
    assert plan.num_rollouts == 14
    assert HyperParameters.from_dict(params.to_dict()) == params


def test_a_scenario_of_networks_is_refused():
    with pytest.raises(ParameterError, match=r"outside_text.*text"):
        HyperParameters(scenario="toy", trainer="outside_text", dataset="witness")
