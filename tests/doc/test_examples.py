"""The examples of the guides run from the command line as the guides say, in small."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doc.pages import DOC, EXAMPLES, Command, all_commands
from tests.source_files import REPOSITORY

TINY = ["rl.num_iterations=2", "rl.frames_per_batch=120", "rl.minibatch_size=60"]
TINY += ["rl.num_test_iterations=1", "rl.num_normalization_steps=20"]
TINY += ["run_id=tiny", "settings.progress=false"]
RUN_ELSEWHERE = ("new_analyser", "new_fine_tuning_backend")
SCRIPTS = ("manual_loop", "swapped_components")


def commands_with_plugins() -> list[Command]:
    commands = all_commands("scripts/run_experiment.py")
    with_plugins = [each for each in commands if "plugins=[doc/examples/" in str(each)]
    return [each for each in with_plugins if "--help" not in each.words]


def run(words: list[str], folder: Path) -> dict[str, float]:
    """Run an experiment in a folder from which the examples can be seen; return its metrics."""
    if not (folder / "doc").exists():
        (folder / "doc").symlink_to(DOC)
    process = subprocess.run(
        [sys.executable, str(REPOSITORY / "scripts" / "run_experiment.py"), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    (result,) = folder.glob("runs/*/result.json")
    content = json.loads(result.read_text())
    assert content["status"] == "completed"
    return content["metrics"]


def needs_a_service(command: Command) -> bool:
    """Tell whether the agents are models of a service, which tests cannot ask."""
    return "scenario=code_validation" in command.words


@pytest.mark.parametrize(
    "command", [each for each in commands_with_plugins() if not needs_a_service(each)], ids=str
)
def test_an_example_runs(command: Command, working_folder: Path) -> None:
    given = [word for word in command.words[2:] if not word.startswith(("run_id=", "rl."))]
    metrics = run([*given, *TINY], working_folder)
    assert 0 <= metrics["test_mean_accuracy"] <= 1


def test_a_model_that_thinks_twice_plays_whole_dialogues(working_folder: Path) -> None:
    (command,) = (each for each in commands_with_plugins() if "new_provider" in str(each))
    rules = REPOSITORY / "nip" / "scenarios" / "code_validation" / "rehearsal_rules.yaml"
    words = [word for word in command.words[2:] if "model_name" not in word]
    words += [f"agents._default.model_name=scripted:{rules}"]
    metrics = run([*words, "run_id=tiny", "settings.progress=false"], working_folder)
    assert metrics["failed_share"] == 0


def test_every_example_is_shown_and_run() -> None:
    for example in EXAMPLES.glob("*.py"):
        is_run = any(f"examples/{example.name}" in str(each) for each in commands_with_plugins())
        assert is_run or example.stem in (*RUN_ELSEWHERE, *SCRIPTS)
        shown = (DOC / "guides").glob("*.md")
        assert any(f"../examples/{example.name}" in page.read_text() for page in shown)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_among_the_examples_runs(name: str, working_folder: Path) -> None:
    """The loop by hand asserts itself that it comes to the numbers of the usual one."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    for size in ("20", "40"):
        source = source.replace(f'"num_iterations": {size}', '"num_iterations": 10')
    process = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert {
        "manual_loop": "test accuracy 0.",
        "swapped_components": "iteration 10: names ",
    }[name] in process.stdout


def test_the_mean_of_weights_goes_on_with_its_run(working_folder: Path) -> None:
    """And is what the evaluation sees, while training is as it was."""
    process = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(EXAMPLES)!r})\n{_AVERAGE}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr


def test_the_parameters_of_an_example_are_checked(working_folder: Path) -> None:
    (working_folder / "doc").symlink_to(DOC)
    words = ["plugins=[doc/examples/new_trainer.py]", "experiment=toy"]
    words += ["trainer=advantage_weighted", "advantage_weighted.temperature=0"]
    process = subprocess.run(
        [sys.executable, str(REPOSITORY / "scripts" / "run_experiment.py"), *words],
        cwd=working_folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert (
        "advantage_weighted.temperature must be a finite number, above 0, got 0" in process.stderr
    )


@pytest.mark.slow
def test_numbers_are_proved_composite(working_folder: Path) -> None:
    words = ["plugins=[doc/examples/new_scenario.py]", "scenario=composite", "dataset=below_1000"]
    words += ["interaction_protocol=adp", "trainer=vanilla_ppo", "rl.num_iterations=100"]
    words += ["rl.frames_per_batch=512", "rl.minibatch_size=256", "rl.lr=0.01"]
    metrics = run([*words, "settings.progress=false"], working_folder)
    assert metrics["test_completeness"] >= 0.95
    assert metrics["test_soundness"] >= 0.95


_AVERAGE = """
import new_callback
from nip import HyperParameters, run_experiment
from nip.trainers.core.callback import Callback
from nip.trainers.core.components import TrainerComponents


class PowerCut(Callback):
    def on_iteration_end(self, context):
        if context.iteration == 3:
            raise KeyboardInterrupt


def params(*callbacks):
    return HyperParameters(
        scenario="toy",
        dataset="witness",
        trainer="vanilla_ppo",
        interaction_protocol="adp",
        callbacks=callbacks,
        rl={
            "num_iterations": 5,
            "frames_per_batch": 64,
            "minibatch_size": 32,
            "num_test_iterations": 1,
            "lr": 0.05,
        },
    )


def test_metrics(metrics):
    return {name: value for name, value in metrics.items() if name.startswith("test_")}


how = {"progress": False, "checkpoint_period": 1}
slow = params({"name": "averaged_weights", "decay": 0.9})
straight = run_experiment(slow, run_id="straight", **how).metrics
try:
    cut = TrainerComponents(callbacks=[PowerCut()])
    run_experiment(slow, run_id="broken", components=cut, **how)
except KeyboardInterrupt:
    pass
else:
    raise AssertionError("was not interrupted")
assert run_experiment(slow, run_id="broken", **how).metrics == straight
at_once = params({"name": "averaged_weights", "decay": 0})
without_mean = run_experiment(at_once, run_id="at_once", **how).metrics
assert test_metrics(straight) != test_metrics(without_mean)
assert straight["loss_critic"] == without_mean["loss_critic"]
"""


_INTERRUPT = """
import sys
import new_trainer_loop
from nip import HyperParameters, run_experiment

params = HyperParameters(
    scenario="toy",
    dataset="witness",
    trainer="hill_climbing",
    interaction_protocol="adp",
    protocol_common={"shared_reward": True},
    rl={"num_iterations": 4, "frames_per_batch": 64, "num_test_iterations": 1},
)
how = {"progress": False, "checkpoint_period": 1}
straight = run_experiment(params, run_id="straight", **how)
keep = new_trainer_loop.HillClimbingTrainer.log


def interrupt(self, iteration, metrics):
    if iteration == 3:
        raise KeyboardInterrupt
    keep(self, iteration, metrics)


new_trainer_loop.HillClimbingTrainer.log = interrupt
try:
    run_experiment(params, run_id="broken", **how)
except KeyboardInterrupt:
    print("interrupted")
new_trainer_loop.HillClimbingTrainer.log = keep
assert run_experiment(params, run_id="broken", **how).metrics == straight.metrics
"""


def test_hill_climbing_goes_on_to_the_same_numbers(working_folder: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r})\n{_INTERRUPT}"
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=working_folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == "interrupted\n"
