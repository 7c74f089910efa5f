"""What README and the first guide show works as it stands there."""

import re
import shlex
from pathlib import Path

import pytest

from nip.command_line.composition import ConfigFolders, compose_run
from tests.source_files import REPOSITORY

PAGES = ["README.md", "doc/guides/getting_started.md"]
CONFIGS = ConfigFolders(REPOSITORY / "configs")
# These stand for something that the reader has still to write.
OF_THE_READER = ("my_trainer", "my_experiment", "NAME")


def code_blocks(page: str, language: str) -> list[str]:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def command_lines() -> list[str]:
    """Return all calls of the main script on these pages, each in one line."""
    blocks = [block for page in PAGES for block in code_blocks(page, "console")]
    joined = "\n".join(blocks).replace("\\\n", " ")
    found = re.findall(r"^\$ python scripts/run_experiment.py (.*)$", joined, re.M)
    return [line for line in found if not any(name in line for name in OF_THE_READER)]


@pytest.mark.parametrize("page", PAGES)
def test_the_python_code_runs(page: str, working_folder: Path) -> None:
    blocks = code_blocks(page, "python")
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})
    assert any((working_folder / "runs").glob("*/result.json"))


@pytest.mark.parametrize("line", command_lines())
def test_the_command_lines_compose(line: str, working_folder: Path) -> None:
    overrides = [word for word in shlex.split(line) if not word.startswith("-")]
    compose_run(overrides, CONFIGS, may_be_incomplete=True)


def test_the_yaml_of_the_guide_composes(working_folder: Path) -> None:
    (block,) = code_blocks(PAGES[1], "yaml")
    path = working_folder / "experiment" / "my_experiment.yaml"
    path.parent.mkdir()
    path.write_text(block)
    folders = ConfigFolders(REPOSITORY / "configs", working_folder)
    tree = compose_run(["experiment=my_experiment"], folders).tree
    assert tree["dataset"] == "eru10000"
    assert tree["agents"]["verifier"]["num_gnn_layers"] == 2


def test_every_named_experiment_composes() -> None:
    for name in CONFIGS.experiments():
        assert compose_run([f"experiment={name}"], CONFIGS).tree["scenario"] is not None
