"""Every command line of README and the guides is one that works."""

import importlib.util
import json
from pathlib import Path

import pytest

from nip.command_line.composition import compose_run
from nip.command_line.config_folders import ConfigFolders
from nip.command_line.request import read_request
from nip.commands.analyse import build_parser as analysis_parser
from nip.commands.code_validation_dataset import build_parser as program_parser
from nip.commands.compare import build_parser as comparison_parser
from nip.commands.draw_images import build_parser as drawing_parser
from nip.commands.graph_isomorphism_dataset import build_parser as graph_parser
from nip.commands.plot import build_parser as plot_parser
from nip.commands.quotes_models import build_parser as quotes_parser
from nip.commands.sweep import build_parser as sweep_parser
from nip.commands.transcripts import build_parser as transcript_parser
from nip.commands.view import build_parser as view_parser
from tests.doc.forks import check_commands, run_forked, run_script
from tests.doc.pages import DOC, Command, all_commands, code_blocks
from tests.source_files import REPOSITORY

RUN = "scripts/run_experiment.py"
TIMEOUT_S = 900
CONFIGS = ConfigFolders(REPOSITORY / "configs")
# These stand for something that the reader has still to write, or has from somebody else.
OF_THE_READER = ("my_trainer", "my_experiment", "run_id=theirs")
TRUSTED = ("git", "make", "source", "ls", "eval", "curl", "pip", "tensorboard", "wandb", "inspect")
ROLES = ("prover", "verifier")
PARSERS = {
    "scripts/compare_runs.py": comparison_parser,
    "scripts/create_cv_dataset.py": program_parser,
    "scripts/create_gi_dataset.py": graph_parser,
    "scripts/create_quotes_models.py": quotes_parser,
    "scripts/draw_image_episodes.py": drawing_parser,
    "scripts/plot_learning_curves.py": plot_parser,
    "scripts/run_analysers.py": analysis_parser,
    "scripts/show_transcripts.py": transcript_parser,
    "scripts/view_runs.py": view_parser,
    "scripts/sweep.py": sweep_parser,
}


def runs_of_the_reader() -> list[Command]:
    commands = all_commands(RUN)
    return [each for each in commands if not any(name in str(each) for name in OF_THE_READER)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Check all commands that run experiments, in a folder with the data that they name.

    One process checks all of them, because the plugins that they load stay loaded.
    """
    commands = runs_of_the_reader()
    folder = tmp_path_factory.mktemp("folder")
    for dataset in ("demo", "eru10000", "my_graphs"):
        (folder / "data" / "graph_isomorphism" / dataset).mkdir(parents=True)
    (folder / "doc").symlink_to(DOC)
    for model in ("models/qwen", *(f"data/quotes_models/tiny/{role}" for role in ROLES)):
        (folder / model).mkdir(parents=True)
        for name in ("config.json", "model.safetensors"):
            (folder / model / name).touch()
    outcome = run_forked(
        check_commands,
        [each.arguments for each in commands],
        str(REPOSITORY / "configs"),
        folder=folder,
        timeout_s=TIMEOUT_S,
        environment={"OPENAI_API_KEY": "not-a-key", "OPENROUTER_API_KEY": "not-a-key"},
    )
    assert outcome.exit_code == 0, outcome.stderr
    told = json.loads(outcome.stdout.splitlines()[-1])
    return {str(each): tuple(result) for each, result in zip(commands, told, strict=True)}


# The first of these waits for the check of all.
@pytest.mark.timeout(TIMEOUT_S + 60)
@pytest.mark.parametrize("command", runs_of_the_reader(), ids=str)
def test_an_experiment_of_a_page_can_be_run(
    command: Command, outcomes: dict[str, tuple[int, str]]
) -> None:
    code, message = outcomes[str(command)]
    assert code == 0, message
    assert "has no effect" not in message


def test_the_pages_show_many_experiments() -> None:
    assert len(runs_of_the_reader()) > 20


@pytest.mark.parametrize("command", all_commands(), ids=str)
def test_a_command_names_something_that_exists(command: Command) -> None:
    if command.words[0] == "nip":
        assert command.nip_command is not None or command.words[1:] == ("--help",)
    elif command.script is not None:
        assert (REPOSITORY / command.script).is_file()
    elif command.words[:2] == ("python", "-m"):
        assert importlib.util.find_spec(command.words[2])
    else:
        assert command.words[0] in TRUSTED
    if command.words[0] == "make":
        makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
        assert f"\n{command.words[1]}:" in makefile


@pytest.mark.parametrize("script", PARSERS)
def test_the_options_of_other_scripts_are_understood(script: str) -> None:
    commands = all_commands(script)
    assert commands
    for command in commands:
        PARSERS[script]().parse_args(command.arguments)


@pytest.mark.parametrize("name", CONFIGS.experiments())
def test_every_named_experiment_composes(name: str) -> None:
    assert compose_run([f"experiment={name}"], CONFIGS).tree["scenario"] is not None


def write_experiment(page: str, name: str, folder: Path) -> ConfigFolders:
    """Write the YAML of a page as a named experiment."""
    blocks = code_blocks(DOC / "guides" / f"{page}.md", "yaml")
    (block,) = (each for each in blocks if each.startswith("# @package _global_"))
    path = folder / "experiment" / f"{name}.yaml"
    path.parent.mkdir()
    path.write_text(block)
    return ConfigFolders(REPOSITORY / "configs", folder)


def test_the_yaml_of_the_first_guide_is_an_experiment(working_folder: Path) -> None:
    folders = write_experiment("getting_started", "my_experiment", working_folder)
    tree = compose_run(["experiment=my_experiment"], folders).tree
    assert tree["dataset"] == "eru10000"
    assert tree["agents"]["verifier"]["num_gnn_layers"] == 2


def test_the_yaml_of_the_guide_to_text_training_is_an_experiment(working_folder: Path) -> None:
    folders = write_experiment("text_training", "my_experiment", working_folder)
    tree = compose_run(["experiment=my_experiment"], folders).tree
    assert tree["scenario"] == "code_validation"


def test_the_schedules_in_the_guide_to_training_alternate(working_folder: Path) -> None:
    folders = write_experiment("training", "alternating", working_folder)
    words = ["experiment=alternating", "scenario=toy", "dataset=witness", "trainer=reinforce"]
    agents = read_request(compose_run(words, folders).tree).experiment.hyper_params.agents
    learning = [
        [agents[name].update_schedule.is_active(iteration) for iteration in range(20)]
        for name in ("prover", "verifier")
    ]
    assert learning == [([True] * 4 + [False] * 6) * 2, ([False] * 4 + [True] * 6) * 2]


def test_an_experiment_may_bring_its_plugins(working_folder: Path) -> None:
    write_experiment("command_line", "composite", working_folder)
    (working_folder / "doc").symlink_to(DOC)
    words = ["--config-dir", ".", "experiment=composite", "--cfg", "job"]
    outcome = run_script(RUN, words, working_folder)
    assert outcome.exit_code == 0, outcome.stderr
    assert "dataset: below_100" in outcome.stdout
    assert "d_hidden: 32" in outcome.stdout
