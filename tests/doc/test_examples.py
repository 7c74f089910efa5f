"""The examples in doc/examples run from the command line as the guides say, with small numbers."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doc.example_checks import (
    averaged_weights_resume,
    hill_climbing_resumes,
    run_program,
)
from tests.doc.forks import run_forked, run_script
from tests.doc.pages import DOC, EXAMPLES, Command, all_commands
from tests.fork_server import Ending
from tests.source_files import REPOSITORY

RUN = "scripts/run_experiment.py"
TINY = ["rl.num_iterations=2", "rl.frames_per_batch=120", "rl.minibatch_size=60"]
TINY += ["rl.num_test_iterations=1", "rl.num_normalization_steps=20"]
TINY += ["run_id=tiny", "settings.progress=false"]
RUN_ELSEWHERE = ("new_analyser", "new_fine_tuning_backend")
SCRIPTS = {
    "compare_trainers": "three seeds could have shown a difference of ",
    "manual_loop": "test accuracy 0.",
    "play_by_hand": "accuracy 1.0",
    "swapped_components": "iteration 10: names ",
}
"""Examples that are programs, and what they print."""

SLOW_SCRIPTS = {
    "local_study": "2 verifier SUCCEEDED",
    "adapters_on_servers": "both servers have prover@2 verifier@2",
}
"""Examples that train language models."""


def commands_with_plugins() -> list[Command]:
    commands = all_commands(RUN)
    with_plugins = [each for each in commands if "plugins=[doc/examples/" in str(each)]
    return [each for each in with_plugins if "--help" not in each.words]


def run(words: list[str], folder: Path) -> Ending:
    """Run an experiment in a folder from which the examples can be seen."""
    (folder / "doc").symlink_to(DOC)
    return run_script(RUN, words, folder)


def metrics_of(words: list[str], folder: Path) -> dict[str, float]:
    """Run an experiment; return its metrics."""
    outcome = run(words, folder)
    assert outcome.exit_code == 0, outcome.stderr
    (result,) = folder.glob("runs/*/result.json")
    content = json.loads(result.read_text())
    assert content["status"] == "completed"
    return dict(content["metrics"])


def needs_a_service(command: Command) -> bool:
    """Tell whether the agents are models of a service, which tests cannot ask."""
    return "scenario=code_validation" in command.words


@pytest.mark.parametrize(
    "command", [each for each in commands_with_plugins() if not needs_a_service(each)], ids=str
)
def test_an_example_runs(command: Command, working_folder: Path) -> None:
    given = [word for word in command.arguments if not word.startswith(("run_id=", "rl."))]
    metrics = metrics_of([*given, *TINY], working_folder)
    assert 0 <= metrics["test_mean_accuracy"] <= 1


def test_a_model_that_thinks_twice_plays_whole_dialogues(working_folder: Path) -> None:
    (command,) = (each for each in commands_with_plugins() if "new_provider" in str(each))
    rules = REPOSITORY / "nip" / "scenarios" / "code_validation" / "rehearsal_rules.yaml"
    words = [word for word in command.arguments if "model_name" not in word]
    words += [f"agents._default.model_name=scripted:{rules}"]
    metrics = metrics_of([*words, "run_id=tiny", "settings.progress=false"], working_folder)
    assert metrics["failed_share"] == 0


def test_every_example_is_shown_and_run() -> None:
    for example in EXAMPLES.glob("*.py"):
        is_run = any(f"examples/{example.name}" in str(each) for each in commands_with_plugins())
        assert is_run or example.stem in (*RUN_ELSEWHERE, *SCRIPTS, *SLOW_SCRIPTS)
        shown = (DOC / "guides").glob("*.md")
        assert any(f"../examples/{example.name}" in page.read_text() for page in shown)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_program_among_the_examples_runs(name: str, working_folder: Path) -> None:
    """The manual loop itself asserts that it gives the numbers of the usual one."""
    outcome = run_forked(run_program, name, folder=working_folder)
    assert outcome.exit_code == 0, outcome.stderr
    assert SCRIPTS[name] in outcome.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_SCRIPTS)
def test_a_program_that_trains_language_models_runs(name: str, working_folder: Path) -> None:
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    ended = subprocess.run(command, cwd=working_folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert SLOW_SCRIPTS[name] in ended.stdout


def test_the_parameters_of_an_example_are_checked(working_folder: Path) -> None:
    words = ["plugins=[doc/examples/new_trainer.py]", "experiment=toy"]
    words += ["trainer=advantage_weighted", "advantage_weighted.temperature=0"]
    outcome = run(words, working_folder)
    assert outcome.exit_code == 2
    assert (
        "advantage_weighted.temperature must be a finite number, above 0, got 0" in outcome.stderr
    )


@pytest.mark.slow
def test_numbers_are_proved_composite(working_folder: Path) -> None:
    words = ["plugins=[doc/examples/new_scenario.py]", "scenario=composite", "dataset=below_1000"]
    words += ["interaction_protocol=adp", "trainer=vanilla_ppo", "rl.num_iterations=200"]
    words += ["rl.frames_per_batch=512", "rl.minibatch_size=256", "rl.lr=0.01"]
    metrics = metrics_of([*words, "settings.progress=false"], working_folder)
    assert metrics["test_completeness"] >= 0.95
    assert metrics["test_soundness"] >= 0.95


@pytest.mark.parametrize("check", [averaged_weights_resume, hill_climbing_resumes])
def test_an_example_resumes_to_the_same_numbers(
    check: Callable[[], None], working_folder: Path
) -> None:
    outcome = run_forked(check, folder=working_folder)
    assert outcome.exit_code == 0, outcome.stderr
