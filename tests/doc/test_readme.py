"""What README shows, and every named experiment, works as it stands there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nip.command_line.composition import ConfigFolders, compose_run
from tests.source_files import REPOSITORY

CONFIGS = ConfigFolders(REPOSITORY / "configs")
TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")
RUNS = re.findall(r"^\$ python scripts/run_experiment.py ([^-].*)$", TEXT, re.M)


def test_the_python_code_runs(working_folder: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", TEXT, re.S | re.M)
    assert blocks
    for block in blocks:
        # In a process of its own: the checks of shapes that tests make would slow it down.
        subprocess.run([sys.executable, "-c", block], check=True, capture_output=True)
    assert any((working_folder / "runs").glob("*/result.json"))


@pytest.mark.parametrize("line", RUNS)
def test_the_command_lines_compose(line: str) -> None:
    compose_run(shlex.split(line), CONFIGS)


@pytest.mark.parametrize("name", CONFIGS.experiments())
def test_every_named_experiment_composes(name: str) -> None:
    assert compose_run([f"experiment={name}"], CONFIGS).tree["scenario"] is not None


def test_the_yaml_of_the_first_guide_is_an_experiment(working_folder: Path) -> None:
    guide = REPOSITORY / "doc" / "guides" / "getting_started.md"
    (block,) = re.findall(r"^```yaml\n(.*?)^```", guide.read_text(), re.S | re.M)
    path = working_folder / "experiment" / "my_experiment.yaml"
    path.parent.mkdir()
    path.write_text(block)
    folders = ConfigFolders(REPOSITORY / "configs", working_folder)
    tree = compose_run(["experiment=my_experiment"], folders).tree
    assert tree["dataset"] == "eru10000"
    assert tree["agents"]["verifier"]["num_gnn_layers"] == 2
