"""Composition of YAML files and overrides on top of the defaults of the chosen experiment."""

import os
from pathlib import Path
from typing import Any

import pytest

from nip.command_line.composition import compose_run
from nip.command_line.config_folders import ConfigFolders
from nip.errors import NipWarning, ParameterError
from tests.source_files import REPOSITORY

TOY = ["scenario=toy", "dataset=witness", "trainer=vanilla_ppo"]


def composed(*arguments: str, **files: str) -> dict[str, Any]:
    """Compose with named experiments of the given text."""
    for name, text in files.items():
        path = Path("experiment") / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# @package _global_\n{text}")
    return compose_run(arguments, ConfigFolders(REPOSITORY / "configs", Path.cwd())).tree


def test_overrides_win_over_files_and_files_over_defaults(working_folder: Path) -> None:
    text = "scenario: toy\ndataset: witness\ntrainer: reinforce\nrl: {gamma: 0.5, lmbda: 0.25}\n"
    tree = composed("experiment=mine", "rl.lmbda=0.125", mine=text)
    assert (tree["trainer"], tree["rl"]["gamma"], tree["rl"]["lmbda"]) == ("reinforce", 0.5, 0.125)
    assert tree["rl"]["lr"] == composed(*TOY)["rl"]["lr"]


def test_references_reach_defaults_files_and_overrides(working_folder: Path) -> None:
    text = "seed: 5\nrun_id: ${scenario}-${seed}-${rl.minibatch_size}\n"
    tree = composed("experiment=mine", *TOY, "rl.minibatch_size=${seed}", mine=text)
    assert (tree["run_id"], tree["rl"]["minibatch_size"]) == ("toy-5-5", 5)
    assert composed(*TOY, "seed=5", "run_id=${seed}")["run_id"] == "5"


def test_a_protocol_chosen_in_a_file_decides_the_agents(working_folder: Path) -> None:
    text = "interaction_protocol: debate\nagents: {prover1: {d_hidden: 3}}\n"
    agents = composed("experiment=mine", *TOY, "agents._default.d_hidden=4", mine=text)["agents"]
    assert {name: agent["d_hidden"] for name, agent in agents.items()} == {
        "_default": 4,
        "prover0": 4,
        "prover1": 3,
        "verifier": 4,
    }


def test_fields_of_requests_are_given_to_all_agents_or_to_one(working_folder: Path) -> None:
    text = ["scenario=code_validation", "dataset=test", "trainer=pure_text_ei"]
    extra = "agents._default.extra_body={top_k: 20, on: {off: true}}"
    agents = composed(*text, extra, "agents.prover.reasoning_effort=low")["agents"]
    expected = {"top_k": 20, "on": {"off": True}}
    assert [agents[name]["extra_body"] for name in ("prover", "verifier")] == [expected] * 2
    assert [agents[name]["reasoning_effort"] for name in ("prover", "verifier")] == ["low", None]
    agents = composed(*text, "agents.prover.extra_body={top_k: 20}")["agents"]
    assert (agents["prover"]["extra_body"], agents["verifier"]["extra_body"]) == (
        {"top_k": 20},
        None,
    )


def test_a_deletion_takes_a_value_of_a_file_away(working_folder: Path) -> None:
    tree = composed("experiment=mine", *TOY, "~rl.gamma", "~run_id", mine="rl: {gamma: 0.5}\n")
    assert "gamma" not in tree["rl"]
    assert "run_id" not in tree
    assert composed("experiment=mine", *TOY, "~seed=5", mine="seed: 5\n").get("seed") is None
    with pytest.raises(ParameterError, match=r"~seed=6: seed has another value"):
        composed("experiment=mine", *TOY, "~seed=6", mine="seed: 5\n")


def test_a_group_may_be_given_as_one_mapping(working_folder: Path) -> None:
    tree = composed(*TOY, "rl={gamma: 0.5, lmbda: 0.25}")
    assert (tree["rl"]["gamma"], tree["rl"]["lmbda"]) == (0.5, 0.25)
    with pytest.raises(ParameterError, match=r"'rl\.gama'\. Did you mean 'rl\.gamma'\?$"):
        composed(*TOY, "rl={gama: 0.5}")


def test_a_list_replaces_that_of_a_file(working_folder: Path) -> None:
    tree = composed("experiment=mine", *TOY, "callbacks=[csv]", mine="callbacks: [a, b]\n")
    assert tree["callbacks"] == ["csv"]


def test_a_file_of_hydra_is_named_by_its_own_flag(working_folder: Path) -> None:
    (working_folder / "other.yaml").write_text("defaults: [nip_defaults, _self_]\nseed: 9\n")
    folders = ConfigFolders(working_folder, config_name="other")
    assert compose_run(TOY, folders).tree["seed"] == 9


def test_an_unknown_name_is_traced_to_the_primary_file_that_was_named(working_folder: Path) -> None:
    Path("other.yaml").write_text("defaults: [nip_defaults, _self_]\nseeed: 7\n")
    folders = ConfigFolders(working_folder, config_name="other")
    with pytest.raises(ParameterError, match=r"seeed.*other\.yaml"):
        compose_run(TOY, folders)


@pytest.mark.parametrize(
    "text",
    [
        "agents: {_default: {d_hidden: 4}}\nseed: ${oc.decode:${oc.env:ODD_NAME}}\n",
        "dataset: ${oc.env:ODD_NAME}\n",
        "trainer: ${oc.env:ODD_NAME}\n",
        "callbacks: [{name: wandb, tags: ['x-${oc.env:ODD_NAME}']}]\n",
    ],
)
def test_a_parameter_is_not_read_from_the_environment(
    text: str, working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_NAME", "7531902468")
    choices = [each for each in TOY if each.partition("=")[0] not in text]
    with pytest.raises(ParameterError, match="must not be read from the environment") as caught:
        composed("experiment=mine", *choices, mine=text)
    assert "7531902468" not in str(caught.value)
    assert "${oc.env:ODD_NAME}" in str(caught.value)
    with pytest.raises(ParameterError, match="dataset must not be read from the environment"):
        composed(*TOY[::2], "dataset=${oc.env:ODD_NAME}")


def test_where_to_run_may_be_read_from_the_environment(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    words = ["settings.runs_dir=${oc.env:SCRATCH}/runs", "run_id=job-${oc.env:SCRATCH}"]
    tree = composed(*TOY, *words)
    assert (tree["settings"]["runs_dir"], tree["run_id"]) == ("/scratch/me/runs", "job-/scratch/me")


def test_named_pipes_are_refused_and_folders_passed_over(working_folder: Path) -> None:
    (working_folder / "notes.yaml").mkdir()
    composed(*TOY)
    os.mkfifo(working_folder / "mine.yaml")
    with pytest.raises(ParameterError, match=r"mine\.yaml cannot be read: it is a named pipe"):
        composed(*TOY)


def test_aliases_that_multiply_a_file_are_refused_before_they_are_copied(
    working_folder: Path,
) -> None:
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{each}: &a{each} [{', '.join([f'*a{each - 1}'] * 9)}]" for each in range(1, 12)]
    with pytest.raises(ParameterError, match=r"mine\.yaml cannot be read: its aliases"):
        composed("experiment=mine", *TOY, mine="\n".join(lines))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"seed: {'9' * 5000}", "cannot be read"),
        ("plugins: " + "[" * 5000, "cannot be read"),
        ("seed: 1\nseed: 2", "duplicate key seed"),
    ],
)
def test_yaml_that_cannot_be_read_is_told(working_folder: Path, text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        composed("experiment=mine", *TOY, mine=text)


def test_null_for_a_group_says_what_it_restores(working_folder: Path) -> None:
    text = "rl: {gamma: 0.5, num_iterations: 20}\n"
    with pytest.warns(NipWarning) as caught:
        tree = composed("experiment=mine", *TOY, "rl.lr=0.5", "rl=null", mine=text)
    assert tree["rl"] is None
    assert [str(each.message) for each in caught] == [
        "rl=null restores the defaults of the group: rl.num_iterations=1000 instead of 20, "
        "rl.lr=0.003 instead of 0.5, rl.gamma=0.9 instead of 0.5. To change a single one, give its "
        "name."
    ]


def test_null_for_a_group_with_its_defaults_says_nothing(working_folder: Path) -> None:
    composed(*TOY, "rl=null")
