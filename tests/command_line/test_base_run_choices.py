"""On the command line, a base run chooses what is not chosen."""

from pathlib import Path

import pytest
from rich.console import Console

from nip.command_line.composition import compose_run
from nip.command_line.config_folders import ConfigFolders
from nip.command_line.request import read_request
from nip.command_line.text_report import text_plan_table
from nip.errors import ParameterError
from nip.experiment.checked import CheckedExperiment
from nip.parameters import HyperParameters
from nip.run import prepare_checked
from tests.source_files import REPOSITORY
from tests.text_experiments import make_text_params, run_text_experiment

FOLDERS = ConfigFolders(REPOSITORY / "configs")
BASE = ["base_run.base_run_type=parameters", "base_run.run_id=base"]


@pytest.fixture
def base(working_folder: Path) -> HyperParameters:
    params = HyperParameters(
        scenario="toy",
        trainer="reinforce",
        dataset="witness",
        interaction_protocol="adp",
        rl={"lr": 0.1},
        agents={"prover": {"d_hidden": 5}},
    )
    folder = working_folder / "runs" / "base"
    folder.mkdir(parents=True)
    (folder / "hyper_params.yaml").write_text(params.to_yaml())
    return params


def request(*words: str) -> CheckedExperiment:
    return read_request(compose_run(words, FOLDERS).tree).experiment


def test_scenario_trainer_dataset_and_protocol_need_not_be_given(base: HyperParameters) -> None:
    params = request(*BASE).hyper_params
    assert params.interaction_protocol == "adp"
    assert params.rl.lr == 0.1
    assert (params.scenario, params.trainer, params.dataset) == ("toy", "reinforce", "witness")
    assert [params.agents[name].d_hidden for name in ("prover", "verifier")] == [
        5,
        base.agents["verifier"].d_hidden,
    ]


def test_what_is_given_wins(base: HyperParameters) -> None:
    params = request(*BASE, "rl.lr=0.2", "agents.verifier.d_hidden=3", "seed=4").hyper_params
    assert (params.rl.lr, params.seed) == (0.2, 4)
    assert [params.agents[name].d_hidden for name in ("prover", "verifier")] == [5, 3]


def test_the_folder_of_runs_may_be_another(base: HyperParameters, working_folder: Path) -> None:
    (working_folder / "runs").rename(working_folder / "others")
    assert request(*BASE, "settings.runs_dir=others").hyper_params.rl.lr == 0.1
    with pytest.raises(ParameterError, match=r"run_id='base': There is no run in runs/base"):
        request(*BASE)


def test_the_base_run_may_stand_in_a_file(base: HyperParameters, working_folder: Path) -> None:
    experiment = working_folder / "experiment" / "mine.yaml"
    experiment.parent.mkdir()
    experiment.write_text(
        "# @package _global_\nbase_run:\n  base_run_type: parameters\n  run_id: base\n"
    )
    words = ["experiment=mine", "rl.gamma=0.5"]
    folders = ConfigFolders(FOLDERS.main, working_folder)
    params = read_request(compose_run(words, folders).tree).experiment.hyper_params
    assert (params.rl.lr, params.rl.gamma) == (0.1, 0.5)


def test_a_misspelt_name_in_the_group_is_refused(base: HyperParameters) -> None:
    with pytest.raises(ParameterError, match=r"Did you mean 'base_run.run_id'"):
        compose_run([*BASE, "base_run.runid=base"], FOLDERS)


def test_tests_are_run_again_with_two_words(
    working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_text_experiment(working_folder / "runs", "base")
    again = request("base_run.base_run_type=rerun_tests", "base_run.run_id=base")
    expected = make_text_params(
        base_run={"base_run_type": "rerun_tests", "run_id": "base"},
        text_rl={"test_scheme": "none"},
    )
    assert again.hyper_params == expected
    plan = prepare_checked(again)
    assert plan.num_rollouts == 2 * plan.num_test_datapoints
    assert not any(agent.learns for agent in plan.agents)
    Console(width=200).print(text_plan_table(again.hyper_params, plan))
    assert "2 of run base, whose models are tested" in capsys.readouterr().out
