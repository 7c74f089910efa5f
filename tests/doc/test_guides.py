"""Whatever the guides have the reader type works."""

import importlib.util
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from nip.command_line.composition import ConfigFolders, compose_run
from scripts.create_gi_dataset import build_parser as dataset_parser
from scripts.plot_learning_curves import build_parser as plot_parser
from scripts.run_analysers import build_parser as analysis_parser
from scripts.show_transcripts import build_parser as transcript_parser
from tests.doc.pages import DOC, EXAMPLES, GUIDES, Command, all_commands, code_blocks
from tests.source_files import REPOSITORY

RUN = "scripts/run_experiment.py"
# These stand for something that the reader has still to write.
OF_THE_READER = ("my_trainer", "my_experiment")
TRUSTED = ("make", "source", "ls", "eval", "curl", "pip", "tensorboard", "wandb")
TESTED_ELSEWHERE = ("getting_started", "graph_isomorphism_data", "run_folder")
TESTED_ELSEWHERE += ("protocols", "new_protocol")

# Checks each command line as the script does before it runs anything, with the folders that it
# needs. One process for all, because the plugins that they load stay loaded.
_CHECK_ALL = """
import contextlib, io, json, sys
from pathlib import Path
from nip.command_line.application import check_arguments
*_, configs = sys.argv
outcomes = []
for words in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            check_arguments(words, Path(configs))
            code = 0
        except SystemExit as end:
            code = end.code or 0
    outcomes.append((code, said.getvalue()))
print(json.dumps(outcomes))
"""


def runs_of_the_reader() -> list[Command]:
    commands = all_commands(RUN)
    return [each for each in commands if not any(name in str(each) for name in OF_THE_READER)]


@cache
def outcomes() -> dict[str, tuple[int, str]]:
    """Check all commands that run experiments, where the data that they name exists."""
    commands = runs_of_the_reader()
    with TemporaryDirectory() as folder:
        for dataset in ("demo", "eru10000", "my_graphs"):
            (Path(folder) / "data" / "graph_isomorphism" / dataset).mkdir(parents=True)
        (Path(folder) / "doc").symlink_to(DOC)
        model = Path(folder) / "models" / "qwen"
        model.mkdir(parents=True)
        for name in ("config.json", "model.safetensors"):
            (model / name).touch()
        process = subprocess.run(
            [sys.executable, "-c", _CHECK_ALL, str(REPOSITORY / "configs")],
            input=json.dumps([each.arguments for each in commands]),
            cwd=folder,
            env={**os.environ, "OPENAI_API_KEY": "not-a-key", "OPENROUTER_API_KEY": "not-a-key"},
            capture_output=True,
            text=True,
            check=True,
        )
    told = json.loads(process.stdout.splitlines()[-1])
    return {str(each): tuple(outcome) for each, outcome in zip(commands, told, strict=True)}


@pytest.mark.parametrize("command", runs_of_the_reader(), ids=str)
def test_the_experiments_of_the_guides_can_be_run(command: Command) -> None:
    code, message = outcomes()[str(command)]
    assert code == 0, message
    assert "has no effect" not in message


def test_the_guides_show_many_experiments() -> None:
    assert len(runs_of_the_reader()) > 20


@pytest.mark.parametrize("command", all_commands(), ids=str)
def test_every_command_names_something_that_exists(command: Command) -> None:
    if command.script is not None:
        assert (REPOSITORY / command.script).is_file()
    elif command.words[:2] == ("python", "-m"):
        assert importlib.util.find_spec(command.words[2])
    else:
        assert command.words[0] in TRUSTED
    if command.words[0] == "make":
        makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
        assert f"\n{command.words[1]}:" in makefile


@pytest.mark.parametrize(
    ("script", "parser"),
    [
        ("scripts/create_gi_dataset.py", dataset_parser),
        ("scripts/plot_learning_curves.py", plot_parser),
        ("scripts/run_analysers.py", analysis_parser),
        ("scripts/show_transcripts.py", transcript_parser),
    ],
)
def test_the_options_of_other_scripts_are_understood(script: str, parser) -> None:
    commands = all_commands(script)
    assert commands
    for command in commands:
        parser().parse_args(command.arguments)


def pages_with_python() -> list[Path]:
    return [
        page for page in GUIDES if page.stem not in TESTED_ELSEWHERE and code_blocks(page, "python")
    ]


@pytest.mark.parametrize("page", pages_with_python(), ids=lambda page: page.stem)
def test_the_python_of_a_guide_runs(page: Path, working_folder: Path) -> None:
    code = "\n".join(code_blocks(page, "python"))
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=working_folder,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr


def test_the_schedules_in_the_guide_to_training_alternate(working_folder: Path) -> None:
    (block,) = code_blocks(DOC / "guides" / "training.md", "yaml")
    experiment = working_folder / "experiment" / "alternating.yaml"
    experiment.parent.mkdir()
    experiment.write_text(block)
    folders = ConfigFolders(REPOSITORY / "configs", working_folder)
    from nip.command_line.request import read_request

    words = ["experiment=alternating", "scenario=toy", "dataset=witness", "trainer=reinforce"]
    agents = read_request(compose_run(words, folders).tree).hyper_params.agents
    learning = [
        [agents[name].update_schedule.is_active(iteration) for iteration in range(20)]
        for name in ("prover", "verifier")
    ]
    assert learning == [([True] * 4 + [False] * 6) * 2, ([False] * 4 + [True] * 6) * 2]


def test_an_experiment_may_bring_its_plugins(working_folder: Path) -> None:
    (block,) = code_blocks(DOC / "guides" / "command_line.md", "yaml")
    experiment = working_folder / "experiment" / "composite.yaml"
    experiment.parent.mkdir()
    experiment.write_text(block)
    (working_folder / "doc").symlink_to(DOC)
    words = ["--config-dir", ".", "experiment=composite", "--cfg", "job"]
    process = subprocess.run(
        [sys.executable, str(REPOSITORY / RUN), *words],
        cwd=working_folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "dataset: below_100" in process.stdout
    assert "d_hidden: 32" in process.stdout
