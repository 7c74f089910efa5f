"""Stored parameters name the plugins with which they were written."""

import sys
from pathlib import Path

import pytest

from nip.command_line.base_run_choices import choices_of_base_run
from nip.errors import ParameterError
from nip.experiment.base_run import read_base_run
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.specs import TrainerSpec, trainer_specs
from nip.parameters.tree import plugin_names
from nip.plugins import load_plugins
from nip.rollout_analysis.text_run import open_text_run
from nip.run_store import Run

PLUGIN = """
from nip.parameters.specs import TrainerSpec, trainer_specs

trainer_specs.register("of_plugin", TrainerSpec("text"))
"""
ADVICE = (
    r"with the plugins folder/plugin_of_run\.py\. Load them first: with "
    r"plugins=\[folder/plugin_of_run\.py\] on the command line, with --plugins "
    r"folder/plugin_of_run\.py in a script, or with nip\.plugins\.load_plugins"
)


@pytest.fixture
def run(working_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a run with a plugin, and forget the plugin."""
    monkeypatch.setattr(plugin_names, "_loaded", {})
    (working_folder / "folder").mkdir()
    (working_folder / "folder" / "plugin_of_run.py").write_text(PLUGIN)
    load_plugins([Path("folder/plugin_of_run.py")])
    parameters = HyperParameters(
        scenario="code_validation", trainer="of_plugin", dataset="test"
    ).to_dict()
    with Run.open(ExperimentSettings(), "r", parameters) as opened:
        pass
    trainer_specs.unregister("of_plugin")
    monkeypatch.setattr(plugin_names, "_loaded", {})
    del sys.modules["plugin_of_run"]
    return opened.folder


def test_whoever_reads_a_run_is_told_which_plugins_to_load(run: Path) -> None:
    with pytest.raises(ParameterError, match=f"(?s)trainer='of_plugin'.*{ADVICE}"):
        HyperParameters.from_yaml(run / "hyper_params.yaml")
    with pytest.raises(ParameterError, match=f"(?s)base_run.run_id='r'.*{ADVICE}"):
        read_base_run(Path("runs"), "r")
    with pytest.raises(ParameterError, match=f"(?s)trainer='of_plugin'.*{ADVICE}"):
        open_text_run(run).__enter__()
    choices = {"base_run": {"run_id": "r", "base_run_type": "parameters"}}
    with pytest.raises(ParameterError, match=f"(?s)base_run.run_id='r'.*{ADVICE}"):
        choices_of_base_run({**choices, "settings": {"runs_dir": "runs"}})


def test_with_its_plugins_a_run_is_read_and_resumed(run: Path) -> None:
    trainer_specs.register("of_plugin", TrainerSpec("text"))
    try:
        plugin_names.note_plugin("folder/plugin_of_run.py")
        tree = HyperParameters.from_yaml(run / "hyper_params.yaml")
        assert tree.trainer == "of_plugin"
        assert HyperParameters.from_yaml(tree.to_yaml()) == tree
        # What else is loaded does not matter.
        plugin_names.note_plugin("another")
        Run.open(ExperimentSettings(), "r", tree.to_dict(), resume="must").close()
    finally:
        trainer_specs.unregister("of_plugin")


def test_without_plugins_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin_names, "_loaded", {})
    tree = HyperParameters(scenario="toy", trainer="vanilla_ppo", dataset="witness")
    assert "_plugins" not in tree.to_yaml()
    with pytest.raises(ParameterError) as caught:
        HyperParameters.from_dict({**tree.to_dict(), "trainer": "of_plugin"})
    assert "plugins" not in str(caught.value)
