"""What a stored run names outside of itself is used only if the user names it too."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nip.command_line.composition import compose_run
from nip.command_line.config_folders import ConfigFolders
from nip.command_line.defaults import RUN_KEYS
from nip.command_line.request import read_request
from nip.errors import ParameterError
from nip.experiment.base_run import apply_base_run
from nip.experiment.loaded_agents import apply_agent_checkpoints
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.callbacks import CallbackParameters, CallbackSpec, callback_specs
from nip.parameters.fields.outside_names import UNMARKED, names_outside
from nip.parameters.named_components import NamedComponent
from nip.parameters.parameters_base import (
    SubParameters,
    field_rules,
    parameter_classes,
    parameter_groups,
    register_parameter_class,
    register_parameter_group,
)
from nip.parameters.specs import scenario_specs, trainer_specs
from tests.source_files import REPOSITORY
from tests.text_experiments import make_text_params

pytestmark = pytest.mark.filterwarnings("ignore::nip.errors.NipWarning")

FOLDERS = ConfigFolders(REPOSITORY / "configs")
BASE = {"base_run_type": "parameters", "run_id": "base"}
CHOICES = {"scenario": "code_validation", "trainer": "pure_text_ei", "dataset": "test"}
WALKED = ("agents", "callbacks", "loss_terms", "plugin_groups")
"""Fields of the root whose parts are classes of their own."""

FOREIGN: dict[str, Any] = {
    "agents._default.model_provider": "scripted",
    "agents._default.model_name": "x.py:f",
    "agents._default.base_url": "http://somewhere.example/v1",
    "agents._default.api_key_variable": "GITHUB_TOKEN",
    "agents._default.extra_body": {"provider": {"order": ["somebody"]}},
    "rehearsal.brain_file": "/etc/passwd",
    "code_validation.prompt_folder": "/home/somebody/letters",
    "fine_tuning.backend": "elsewhere",
}
"""A value of each parameter that names something outside of the run."""


def builtin_classes() -> list[str]:
    for specs in (scenario_specs, trainer_specs):
        dict(specs.items())  # Loads those of all, which register classes of their own.
    return [name for name, cls in parameter_classes.items() if cls.__module__.startswith("nip.")]


@pytest.mark.parametrize("name", builtin_classes())
def test_each_text_among_the_parameters_is_marked(name: str) -> None:
    cls = parameter_classes[name]
    if cls is ExperimentSettings:
        return  # Settings are never taken from a stored run.
    unmarked = [
        rule.name
        for rule in field_rules(cls).values()
        if rule.group_class is None
        and names_outside(rule.annotation) is UNMARKED
        and not (cls is HyperParameters and rule.name in WALKED)
        and not (issubclass(cls, NamedComponent) and rule.name == "name")
    ]
    assert unmarked == [], f"{name}: mark these with NamesOutside or PLAIN_TEXT"


def marked_fields() -> Iterator[tuple[str, str]]:
    for name in builtin_classes():
        for rule in field_rules(parameter_classes[name]).values():
            if names_outside(rule.annotation) not in (None, UNMARKED):
                yield name, rule.name


def test_what_is_marked_is_known() -> None:
    """The list is repeated here, so that a mark cannot get lost."""
    agent = ["checkpoint_entity", "checkpoint_project"]
    text = ["api_key_variable", "base_url", "extra_body", "model_name", "model_provider"]
    found: dict[str, list[str]] = {}
    for name, field in marked_fields():
        found.setdefault(name, []).append(field)
    assert {name: sorted(fields) for name, fields in found.items()} == {
        "AgentParameters": agent,
        "CodeValidationAgentParameters": text,
        "CodeValidationParameters": ["prompt_folder"],
        "DialogueParameters": ["prompt_folder"],
        "FineTuningParameters": ["backend"],
        "GraphIsomorphismAgentParameters": agent,
        "HyperParameters": ["dataset"],
        "ImageClassificationAgentParameters": agent,
        "MatrixGameAgentParameters": agent,
        "QuotesParameters": ["prompt_folder"],
        "RandomAgentParameters": agent,
        "RehearsalParameters": ["brain_file"],
        "TextAgentParameters": text,
        "ToyAgentParameters": agent,
        "WandbParameters": ["entity", "mode", "project"],
    }


def stored(folder: Path, name: str, value: Any) -> HyperParameters:
    """Store a run with one foreign value, and return its parameters."""
    plain = HyperParameters(**CHOICES)
    changes = {name: value}
    if name.endswith("model_name"):
        changes["agents._default.model_provider"] = "local"
    base = plain.with_changes(changes)
    (folder / "base").mkdir()
    (folder / "base" / "hyper_params.yaml").write_text(base.to_yaml())
    return base


@pytest.mark.parametrize(("name", "value"), FOREIGN.items(), ids=FOREIGN)
def test_a_base_run_is_believed_only_where_the_user_says_the_same(
    name: str, value: Any, tmp_path: Path
) -> None:
    base = stored(tmp_path, name, value)
    settings = ExperimentSettings(runs_dir=tmp_path)
    given = HyperParameters(**CHOICES, base_run=BASE)
    with pytest.raises(ParameterError) as caught:
        apply_base_run(given, settings)
    message = str(caught.value)
    assert message.startswith("base_run.run_id='base': its parameters name")
    assert f"    {name}={value!r} (" in message
    named = given.with_changes(
        {each: base.get(each) for each in FOREIGN if f"    {each}=" in message}
    )
    assert apply_base_run(named, settings).get(name) == value


@pytest.mark.parametrize(("name", "value"), FOREIGN.items(), ids=FOREIGN)
def test_the_options_in_the_message_are_what_the_command_line_needs(
    name: str, value: Any, working_folder: Path
) -> None:
    (working_folder / "runs").mkdir()
    stored(working_folder / "runs", name, value)
    words = ["base_run.base_run_type=parameters", "base_run.run_id=base"]
    composed = HyperParameters.from_dict(_tree(words))
    with pytest.raises(ParameterError) as caught:
        apply_base_run(composed, ExperimentSettings())
    (options,) = [
        line.partition(" add ")[2].partition(" to the command line")[0]
        for line in str(caught.value).splitlines()
        if " add " in line
    ]
    again = HyperParameters.from_dict(_tree([*words, *shlex.split(options)]))
    assert apply_base_run(again, ExperimentSettings()).get(name) == value


def _tree(words: list[str]) -> dict[str, Any]:
    tree = compose_run(words, FOLDERS).tree
    return {name: value for name, value in tree.items() if name not in RUN_KEYS}


@pytest.mark.parametrize(
    "entry",
    [
        "wandb",
        {"name": "wandb", "mode": "offline", "project": "theirs"},
        {"name": "wandb", "mode": "disabled", "entity": "them"},
    ],
)
def test_nothing_is_sent_where_a_base_run_says(entry: Any, tmp_path: Path) -> None:
    base = make_text_params(callbacks=["csv", entry])
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "hyper_params.yaml").write_text(base.to_yaml())
    settings = ExperimentSettings(runs_dir=tmp_path)
    with pytest.raises(
        ParameterError, match=r"(?s)callbacks\[1\]\.\w+=.*add callbacks=\[\.\.\.\] to"
    ):
        apply_base_run(make_text_params(base_run=BASE), settings)
    mine = make_text_params(base_run=BASE, callbacks=["csv", entry])
    assert apply_base_run(mine, settings).callbacks == base.callbacks
    other = make_text_params(base_run=BASE, callbacks=["csv"])
    assert apply_base_run(other, settings).callbacks == other.callbacks


def test_a_rehearsal_uses_neither_provider_nor_address(tmp_path: Path) -> None:
    """So a run with an address can be rehearsed without naming it."""
    stored(tmp_path, "agents._default.base_url", "http://somewhere.example/v1")
    settings = ExperimentSettings(runs_dir=tmp_path)
    rehearsed = HyperParameters(
        **CHOICES, base_run=BASE, agents={"_default": {"use_dummy_api": True}}
    )
    assert apply_base_run(rehearsed, settings).agents["prover"].use_dummy_api


@pytest.fixture
def plugin() -> Iterator[None]:
    @register_parameter_class
    @dataclass
    class HookParameters(SubParameters):
        script: str = "none"
        strength: float = 1.0

    @register_parameter_class
    @dataclass
    class HookCallbackParameters(CallbackParameters):
        name: str = "hook"
        script: str = "none"

    register_parameter_group("hook", HookParameters)
    callback_specs.register("hook", CallbackSpec(HookCallbackParameters))
    yield
    parameter_groups.unregister("hook")
    callback_specs.unregister("hook")
    for name in ("HookParameters", "HookCallbackParameters"):
        parameter_classes.unregister(name)


@pytest.mark.usefixtures("plugin")
def test_the_texts_of_a_plugin_are_not_believed_unless_they_are_marked(tmp_path: Path) -> None:
    base = HyperParameters(
        **CHOICES,
        hook={"script": "rm", "strength": 2.0},
        callbacks=[{"name": "hook"}, {"name": "hook", "script": "rm"}],
    )
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "hyper_params.yaml").write_text(base.to_yaml())
    settings = ExperimentSettings(runs_dir=tmp_path)
    with pytest.raises(ParameterError) as caught:
        apply_base_run(HyperParameters(**CHOICES, base_run=BASE), settings)
    named = [line.split("=")[0].strip() for line in str(caught.value).splitlines()[1:-1]]
    assert named == ["callbacks[1].script", "hook.script"]
    given = {"hook": {"script": "rm"}, "callbacks": base.callbacks}
    merged = apply_base_run(HyperParameters(**CHOICES, base_run=BASE, **given), settings)
    assert merged.hook == base.hook


def test_the_file_of_a_run_is_read_with_what_it_names_given(tmp_path: Path) -> None:
    stored(tmp_path, "agents._default.base_url", "http://somewhere.example/v1")
    path = tmp_path / "base" / "hyper_params.yaml"
    with pytest.raises(ParameterError, match=r"pass given=\{'agents\._default\.base_url': 'http"):
        HyperParameters.from_yaml(path)
    for address in ("http://somewhere.example/v1", "http://mine.example/v1", None):
        read = HyperParameters.from_yaml(str(path), given={"agents._default.base_url": address})
        assert read.agents["prover"].base_url == address
    # A file that a user keeps under a name of its own is the user's.
    path.rename(tmp_path / "mine.yaml")
    read = HyperParameters.from_yaml(tmp_path / "mine.yaml")
    assert read.agents["prover"].base_url == "http://somewhere.example/v1"


@pytest.mark.parametrize("dataset", ["../theirs", "/srv/data", "${oc.env:HOME}", "rows.jsonl"])
def test_a_base_run_chooses_no_dataset_by_its_path(dataset: str, working_folder: Path) -> None:
    (working_folder / "runs").mkdir()
    stored(working_folder / "runs", "dataset", dataset)
    words = ["base_run.base_run_type=parameters", "base_run.run_id=base"]
    with pytest.raises(ParameterError, match=r"dataset=.*which is no plain name.*add dataset="):
        compose_run(words, FOLDERS)
    with pytest.raises(ParameterError, match=r"pass given=\{'dataset'"):
        HyperParameters.from_yaml(Path("runs/base/hyper_params.yaml"))


def test_a_dry_run_executes_nothing_of_a_base_run(working_folder: Path) -> None:
    (working_folder / "x.py").write_text("open('executed', 'w')\ndef f(*_): return ''\n")
    (working_folder / "runs").mkdir()
    plain = HyperParameters(**CHOICES)
    base = plain.with_changes(
        {"agents._default.model_provider": "scripted", "agents._default.model_name": "x.py:f"}
    )
    (working_folder / "runs" / "base").mkdir()
    (working_folder / "runs" / "base" / "hyper_params.yaml").write_text(base.to_yaml())
    words = ["base_run.base_run_type=parameters", "base_run.run_id=base", "dry_run=true"]
    with pytest.raises(ParameterError, match=r"model_name='x\.py:f'"):
        read_request(compose_run(words, FOLDERS).tree)
    assert not (working_folder / "executed").exists()


def test_an_agent_of_another_run_brings_no_account_along(tmp_path: Path) -> None:
    """Where an agent comes from is what the user gives; the source's own source is not read."""
    source = HyperParameters(
        scenario="toy",
        trainer="reinforce",
        dataset="witness",
        agents={
            "prover": {
                "load_checkpoint_and_parameters": True,
                "checkpoint_run_id": "theirs",
                "checkpoint_project": "theirs",
            }
        },
    )
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "hyper_params.yaml").write_text(source.to_yaml())
    toy = {"scenario": "toy", "trainer": "reinforce", "dataset": "witness"}
    settings = ExperimentSettings(runs_dir=tmp_path)
    with pytest.raises(
        ParameterError, match=r"checkpoint_project='theirs' \(projects that are read\)"
    ):
        apply_agent_checkpoints(
            apply_base_run(HyperParameters(**toy, base_run=BASE), settings), settings
        )


@pytest.mark.parametrize("run_id", ["../base", "/tmp/base", ".."])
def test_the_name_of_another_run_stays_in_the_folder_of_runs(run_id: str, tmp_path: Path) -> None:
    toy = {"scenario": "toy", "trainer": "reinforce", "dataset": "witness"}
    settings = ExperimentSettings(runs_dir=tmp_path / "runs")
    based = HyperParameters(**toy, base_run={**BASE, "run_id": run_id})
    with pytest.raises(ParameterError, match=r"base_run\.run_id must begin with a letter"):
        apply_base_run(based, settings)
    agent = {"load_checkpoint_and_parameters": True, "checkpoint_run_id": run_id}
    loaded = HyperParameters(**toy, agents={"prover": agent})
    with pytest.raises(ParameterError, match=r"checkpoint_run_id must begin with a letter"):
        apply_agent_checkpoints(loaded, settings)
