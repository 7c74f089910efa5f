"""What is typed for a name or a text is that text, also where Hydra would read a number."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from pathlib import Path

import pytest

from nip.command_line.composition import compose_run
from nip.command_line.config_folders import ConfigFolders
from nip.command_line.request import read_request
from nip.command_line.typed_text import quote_typed_texts
from nip.errors import ParameterError
from nip.parameters import (
    SubParameters,
    parameter_classes,
    parameter_groups,
    register_parameter_class,
    register_parameter_group,
)
from nip.parameters.tree.reference import parameter_reference
from tests.source_files import REPOSITORY

TOY = ["scenario=toy", "dataset=witness", "trainer=vanilla_ppo"]

NUMBER_LIKE = ["1_0", "7e12345", "1e5", "2024", "+5", "-1.50", "inf", "NaN", "True", "007", "0x10"]
"""Texts of which Hydra or YAML would make something else."""

TEXT_PARAMETERS = [
    "dataset",
    "base_run.run_id",
    "settings.runs_dir",
    "settings.response_cache",
    "agents._default.model_name",
    "agents.verifier.shared_model_group",
    "fine_tuning.backend",
    "code_validation.prompt_folder",
    "rehearsal.brain_file",
]


def composed(*arguments: str) -> dict:
    folders = ConfigFolders(REPOSITORY / "configs", Path.cwd())
    return compose_run(arguments, folders, may_be_incomplete=True).tree


@pytest.mark.parametrize("text", NUMBER_LIKE)
def test_a_run_id_is_what_was_typed(text: str, working_folder: Path) -> None:
    tree = composed(*TOY, f"run_id={text}")
    assert tree["run_id"] == text
    if text.isalnum() or "_" in text:
        assert read_request(tree).experiment.run_id == text


@pytest.mark.parametrize("text", NUMBER_LIKE)
def test_every_parameter_that_is_text_is_what_was_typed(text: str) -> None:
    typed = [f"{name}={text}" for name in TEXT_PARAMETERS]
    tree = composed("scenario=code_validation", "trainer=pure_text_ei", *typed)
    found = {name: reduce(getitem, name.split("."), tree) for name in TEXT_PARAMETERS}
    assert found == dict.fromkeys(TEXT_PARAMETERS, text)


def test_texts_in_lists_and_mappings_are_what_was_typed() -> None:
    tree = composed(
        *TOY,
        "callbacks=[{name:wandb,project:1_0,group:7e5,tags:[007,1_0, x ]},csv]",
        "agents={prover: {checkpoint_run_id: 1_0}}",
        "rehearsal.faults=[1_0,1e5]",
    )
    wandb = tree["callbacks"][0]
    assert (wandb["project"], wandb["group"]) == ("1_0", "7e5")
    assert wandb["tags"] == ["007", "1_0", "x"]
    assert tree["agents"]["prover"]["checkpoint_run_id"] == "1_0"
    assert tree["rehearsal"]["faults"] == ["1_0", "1e5"]


@pytest.mark.parametrize(
    "argument",
    [
        "seed=1_0",
        "rl.lr=1e-3",
        "run_id=null",
        "run_id=${seed}",
        "run_id='1_0'",
        "agents.prover.is_random=true",
        "agents.prover.checkpoint_version=3",
        "agents.prover.update_schedule.PeriodicUpdateSchedule.period=3",
        "loss_terms=[{name:l2,weight:1_0}]",
        "callbacks=[{name:early_stopping,patience:3}]",
        "settings.max_cost=1",
        "hydra.x=1_0",
        "no.such.name=1_0",
        "x=[",
        "~run_id",
    ],
)
def test_everything_else_stays_as_it_is(argument: str) -> None:
    assert quote_typed_texts([argument]) == [argument]


def test_values_of_a_sweep_are_quoted_one_by_one() -> None:
    arguments = ["run_id= 1_0 , b,2_0", "dataset=choice(1,2_0)", "~run_id=1_0"]
    quoted = ["run_id= '1_0' , b,'2_0'", "dataset=choice('1','2_0')", "~run_id='1_0'"]
    assert quote_typed_texts(arguments) == quoted


def test_a_number_in_a_file_is_refused_where_a_name_belongs(working_folder: Path) -> None:
    folder = working_folder / "experiment"
    folder.mkdir()
    (folder / "mine.yaml").write_text("# @package _global_\nrun_id: 1_0\n")
    with pytest.raises(ParameterError, match=r"run_id must be text, got 10\. Put it in quotes"):
        read_request(composed(*TOY, "experiment=mine"))
    (folder / "mine.yaml").write_text("# @package _global_\ndataset: 1_0\n")
    with pytest.raises(ParameterError, match=r"dataset must be a string, .*got 10\. Put text in q"):
        read_request(composed("scenario=toy", "trainer=vanilla_ppo", "experiment=mine"))
    (folder / "mine.yaml").write_text(
        "# @package _global_\nbase_run: {run_id: 7e12345, base_run_type: parameters}\n"
    )
    with pytest.raises(ParameterError, match=r"base_run\.run_id must be text, got inf"):
        composed(*TOY, "experiment=mine")


@pytest.fixture
def group_with_mapping() -> Iterator[None]:
    @register_parameter_class
    @dataclass
    class WithMapping(SubParameters):
        """Group of a plugin."""

        weights: dict[str, float] = field(default_factory=lambda: {"a": 1.0})
        """Weight of each agent."""

        labels: dict[str, str] | None = None
        """Label of each agent."""

    register_parameter_group("with_mapping", WithMapping)
    yield
    del parameter_groups._entries["with_mapping"]
    del parameter_classes._entries["WithMapping"]


@pytest.mark.usefixtures("group_with_mapping")
def test_a_parameter_that_is_a_mapping_can_be_set(working_folder: Path) -> None:
    def weights(*arguments: str) -> dict:
        experiment = read_request(composed(*TOY, *arguments)).experiment
        group = experiment.hyper_params.with_mapping
        return {"weights": group.weights, "labels": group.labels}

    assert weights() == {"weights": {"a": 1.0}, "labels": None}
    assert weights("with_mapping.weights={b:2,c:0.5}")["weights"] == {"b": 2.0, "c": 0.5}
    assert weights("with_mapping.weights.b=2")["weights"] == {"a": 1.0, "b": 2.0}
    assert weights("with_mapping={weights:{b:2}}")["weights"] == {"a": 1.0, "b": 2.0}
    assert weights("with_mapping.weights={}")["weights"] == {}
    assert weights("with_mapping.labels={p:1_0,v:x}")["labels"] == {"p": "1_0", "v": "x"}
    assert weights("with_mapping.labels.p=1_0")["labels"] == {"p": "1_0"}
    folder = working_folder / "experiment"
    folder.mkdir()
    file = "# @package _global_\nwith_mapping: {weights: {b: 2}}\n"
    (folder / "mine.yaml").write_text(file)
    assert weights("experiment=mine")["weights"] == {"b": 2.0}
    with pytest.raises(
        ParameterError, match=r"with_mapping\.weights must be a mapping \(each valu"
    ):
        weights("with_mapping.weights={b:x}")
    with pytest.raises(ParameterError, match=r"There is no parameter 'with_mapping\.weihgts'"):
        weights("with_mapping.weihgts={b:2}")
    reference = parameter_reference()
    assert "| `with_mapping.weights` | a mapping (each value a finite number) | `{a:1.0}` |" in (
        reference
    )
