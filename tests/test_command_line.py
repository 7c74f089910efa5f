"""The command line as a user meets it, mistakes included."""

import json
import os
import signal
from functools import cache
from pathlib import Path

import pytest
import yaml

from nip.command_line.composition import compose_run
from nip.command_line.config_folders import ConfigFolders
from nip.command_line.errors import plain_messages, stopped_early
from nip.command_line.request import how_to_resume, read_request
from tests.command_line_process import (
    REPOSITORY,
    Outcome,
    call_command_line,
    call_command_lines,
    run_command_line,
    start_command_line,
)

TOY = ["scenario=toy", "dataset=witness", "trainer=vanilla_ppo"]
TINY = ["rl.num_iterations=2", "rl.frames_per_batch=32", "rl.minibatch_size=16"]
TINY += ["rl.num_test_iterations=1", "rl.num_normalization_steps=16"]
GRAPHS = ["scenario=graph_isomorphism", "dataset=eru10000", "trainer=vanilla_ppo"]

MISTAKES = {
    "nothing": ([], ["scenario=...", "dataset=...", "trainer=...", "--help"]),
    "misspelt trainer": (
        ["scenario=toy", "dataset=witness", "trainer=vanila_ppo"],
        ["vanila_ppo", "Did you mean 'vanilla_ppo'?", "reinforce"],
    ),
    "misspelt scenario": (
        ["scenario=tooy", "dataset=witness", "trainer=vanilla_ppo"],
        ["tooy", "Did you mean 'toy'?"],
    ),
    "misspelt protocol": (
        [*TOY, "interaction_protocol=debat"],
        ["debat", "Did you mean 'debate'?"],
    ),
    "misspelt parameter": (
        [*TOY, "ppo.clip_epsilonn=0.1"],
        ["'ppo.clip_epsilonn'", "Did you mean 'ppo.clip_epsilon'?"],
    ),
    "misspelt group": ([*TOY, "poo.clip_epsilon=0.1"], ["Did you mean 'ppo.clip_epsilon'?"]),
    "parameter without its group": (
        [*TOY, "clip_epsilon=0.1"],
        ["'clip_epsilon'", "Did you mean 'ppo.clip_epsilon' or 'pure_text_grpo.clip_epsilon'?"],
    ),
    "parameter of a single value": ([*TOY, "seed.x=1"], ["'seed.x'", "'seed' is a single value"]),
    "misspelt parameter of an agent": (
        [*TOY, "agents.prover.d_hiden=3"],
        ["Did you mean 'agents.prover.d_hidden'?"],
    ),
    "misspelt agent": (
        [*TOY, "agents.verifer.d_hidden=3"],
        ["There is no agent", "Did you mean 'agents.verifier.d_hidden'?"],
    ),
    "agent of another protocol": (
        [*TOY, "interaction_protocol=debate", "agents.prover.d_hidden=3"],
        ["There is no agent", "prover0"],
    ),
    "misspelt setting": ([*TOY, "settings.devise=cpu"], ["Did you mean 'settings.device'?"]),
    "unknown parameter added": ([*TOY, "+temperature=1"], ["There is no parameter 'temperature'"]),
    "known parameter added": ([*TOY, "+seed=1"], ["Leave out the +: seed=1"]),
    "text trainer on graphs": (
        ["scenario=graph_isomorphism", "dataset=eru10000", "trainer=pure_text_ei"],
        ["pure_text_ei", "text", "graph_isomorphism", "vanilla_ppo", "code_validation"],
    ),
    "negative batch": (
        [*TOY, "rl.frames_per_batch=-5"],
        ["rl.frames_per_batch", "-5", "at least 1"],
    ),
    "text for a number": ([*TOY, "rl.lr=fast"], ["rl.lr", "'fast'", "number"]),
    "missing dataset": (GRAPHS, ["'eru10000'", "python scripts/create_gi_dataset.py eru10000"]),
    "missing built-in dataset": (
        ["scenario=toy", "dataset=witnes", "trainer=vanilla_ppo"],
        ["witnes", "Did you mean 'witness'?"],
    ),
    "minibatch larger than the batch": (
        [*TOY, "rl.frames_per_batch=64", "rl.minibatch_size=128"],
        ["rl.minibatch_size", "128", "64"],
    ),
    "batch that cannot be divided": (
        [*TOY, "rl.frames_per_batch=100", "rl.steps_per_env_per_iteration=7"],
        ["rl.frames_per_batch", "100", "7", "98"],
    ),
    "batch that the rounds do not divide": (
        [*TOY, "nip_protocol.max_message_rounds=7"],
        ["rl.frames_per_batch", "1000", "7"],
    ),
    "more rounds required than allowed": (
        [*TOY, "nip_protocol.min_message_rounds=9"],
        ["nip_protocol.min_message_rounds", "9", "8"],
    ),
    "misspelt experiment": (
        ["experiment=gi_nip_pppo"],
        ["'gi_nip_pppo'", "Did you mean 'gi_nip_ppo'?"],
    ),
    "no value": ([*TOY, "seed"], ["'seed'", "name and a value"]),
    "bad syntax": ([*TOY, "seed==1"], ["'seed==1'", "name=value"]),
    "sweep without --multirun": ([*TOY, "seed=1,2"], ["seed=1,2", "--multirun"]),
    "mistake in one job of a sweep": ([*TOY, "seed=1,-2", "--multirun"], ["seed", "-2"]),
    "unknown flag": ([*TOY, "--sed=1"], ["--sed=1", "without dashes"]),
    "missing plugin": ([*TOY, "plugins=[no_such_module]"], ["no_such_module", "PYTHONPATH"]),
    "missing plugin file": ([*TOY, "plugins=[./no_such.py]"], ["no_such.py", "no file"]),
    "unknown device": ([*TOY, "settings.device=gpu"], ["settings.device", "'gpu'", "'cuda'"]),
    "bad name of a run": ([*TOY, "run_id='a/b'"], ["run_id", "'a/b'"]),
    "misspelt way to resume": ([*TOY, "resume=atuo"], ["resume", "'atuo'", "Did you mean 'auto'?"]),
    "dry run of the wrong type": ([*TOY, "dry_run=maybe"], ["dry_run", "'maybe'", "true, false"]),
    "missing folder of configs": ([*TOY, "--config-dir", "nowhere"], ["nowhere", "no such folder"]),
    "unresolved reference": ([*TOY, "seed=${nowhere}"], ["nowhere"]),
    "group in help": (["--help", "poo"], ["'poo'", "Did you mean 'ppo'?"]),
    "several at once": (
        [*TOY, "rl.lr=-1", "ppo.kl_increment=0.5"],
        ["2 problems", "rl.lr", "ppo.kl_increment"],
    ),
}
HELP = (["--help"], ["-h"], ["--help", "ppo", "agents", "settings"])


@cache
def outcomes_of_light_commands() -> dict[str, Outcome]:
    """Call all command lines that must import nothing heavy, in one fresh process."""
    lines = {name: arguments for name, (arguments, _) in MISTAKES.items()}
    lines |= {" ".join(arguments): arguments for arguments in HELP}
    return dict(zip(lines, call_command_lines(list(lines.values())), strict=True))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_clear_message_at_once(mistake: str) -> None:
    outcome = outcomes_of_light_commands()[mistake]
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: ")
    assert outcome.stderr.count("error: ") == 1
    assert [words for words in MISTAKES[mistake][1] if words not in outcome.stderr] == []
    assert outcome.heavy_imports == []
    assert outcome.files == []


def test_the_script_ends_with_the_message_and_exit_code_2(working_folder: Path) -> None:
    arguments, (name, *_) = MISTAKES["misspelt parameter"]
    outcome = run_command_line(arguments, working_folder)
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"error: There is no parameter {name}.")
    assert "Traceback" not in outcome.stderr
    assert outcome.heavy_imports == []
    assert list(working_folder.iterdir()) == []


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_comes_without_heavy_imports(arguments: list[str]) -> None:
    outcome = outcomes_of_light_commands()[" ".join(arguments)]
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert "clip_epsilon" in outcome.stdout
    assert outcome.heavy_imports == []


def test_help_lists_what_can_be_chosen(working_folder: Path) -> None:
    text = call_command_line(["--help"]).stdout
    for name in ("gi_nip_ppo", "graph_isomorphism", "toy", "mnip", "solo_agent", "dry_run", "rl"):
        assert name in text.split() or f"{name}," in text.split()


def composed(arguments: list[str]) -> dict:
    outcome = call_command_line([*arguments, "--cfg", "job", "--resolve"])
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.files in ([], ["mine"], ["configs"])
    return yaml.safe_load(outcome.stdout)


def test_cfg_shows_the_composed_tree_and_runs_nothing(working_folder: Path) -> None:
    tree = composed([*TOY, "ppo.clip_epsilon=0.1", "settings.num_threads=2"])
    assert tree["ppo"]["clip_epsilon"] == 0.1
    assert tree["rl"]["gamma"] == 0.9
    assert tree["settings"]["num_threads"] == 2
    assert tree["resume"] == "auto"
    assert set(tree["agents"]) == {"_default", "prover", "verifier"}


def test_an_agent_takes_its_own_value_or_the_default_of_all(working_folder: Path) -> None:
    overrides = ["agents._default.d_hidden=5", "agents.verifier.d_hidden=7"]
    agents = composed([*TOY, *overrides])["agents"]
    assert agents["_default"]["d_hidden"] == 5
    assert agents["prover"]["d_hidden"] == 5
    assert agents["verifier"]["d_hidden"] == 7


def test_the_named_experiment_is_the_published_one(working_folder: Path) -> None:
    tree = composed(["experiment=gi_nip_ppo"])
    assert tree["rl"]["num_iterations"] * tree["rl"]["frames_per_batch"] == 5000 * 2048
    assert (tree["rl"]["gamma"], tree["rl"]["lmbda"], tree["rl"]["max_grad_norm"]) == (
        0.95,
        0.95,
        0.5,
    )
    assert (tree["ppo"]["clip_epsilon"], tree["ppo"]["entropy_eps"]) == (0.2, 0.001)
    assert tree["protocol_common"]["verifier_terminated_penalty"] == -1
    assert tree["protocol_common"]["verifier_no_guess_reward"] == 0.05
    assert tree["nip_protocol"] == {"max_message_rounds": 8, "min_message_rounds": 3}
    assert tree["agents"]["prover"]["num_gnn_layers"] == 5
    assert tree["agents"]["verifier"]["num_gnn_layers"] == 2
    assert tree["agents"]["verifier"]["num_transformer_layers"] == 1
    assert not tree["agents"]["prover"]["use_dual_gnn"]


def write_experiment(folder: Path, name: str, text: str) -> list[str]:
    path = folder / "mine" / "experiment" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# @package _global_\n{text}")
    return [f"experiment={name}", "--config-dir", "mine"]


BASE_YAML = "scenario: toy\ndataset: witness\ntrainer: vanilla_ppo\n"


def test_experiments_of_ones_own_build_on_each_other(working_folder: Path) -> None:
    write_experiment(working_folder, "base", BASE_YAML + "seed: 1\nrl: {gamma: 0.5}\n")
    arguments = write_experiment(
        working_folder,
        "derived",
        "defaults: [base, _self_]\nseed: 2\nagents: {prover: {d_hidden: 4}}\n",
    )
    tree = composed([*arguments, "rl.lmbda=0.25"])
    assert (tree["seed"], tree["rl"]["gamma"], tree["rl"]["lmbda"]) == (2, 0.5, 0.25)
    assert tree["agents"]["prover"]["d_hidden"] == 4


@pytest.mark.parametrize("flags", [["--config-dir", "mine"], []], ids=["flag", "configs"])
def test_an_experiment_of_ones_own_takes_the_place_of_a_built_in_one(
    flags: list[str], working_folder: Path
) -> None:
    write_experiment(working_folder, "toy", BASE_YAML + "seed: 77\n")
    write_experiment(working_folder, "derived", "defaults: [toy, _self_]\ntrainer: reinforce\n")
    if not flags:
        (working_folder / "mine").rename("configs")
    tree = composed(["experiment=derived", *flags, "rl.lr=0.5"])
    assert (tree["seed"], tree["trainer"], tree["rl"]["lr"]) == (77, "reinforce", 0.5)
    assert composed(["experiment=toy_watched", *flags])["eval_every"] == 5


@pytest.mark.parametrize(
    ("addition", "suggestion"),
    [
        ("rl: {gama: 0.5}\n", "Did you mean 'rl.gamma'?"),
        ("gamma: 0.5\n", "Did you mean 'lr_scheduler.gamma' or 'rl.gamma'?"),
        ("agents: {proover: {d_hidden: 4}}\n", "Did you mean 'agents.prover'?"),
        ("agents: {prover: {d_hiden: 4}}\n", "Did you mean 'agents.prover.d_hidden'?"),
        ("setings: {device: cpu}\n", "Did you mean 'settings'?"),
    ],
)
def test_a_misspelt_name_in_yaml_is_refused(
    addition: str, suggestion: str, working_folder: Path
) -> None:
    arguments = write_experiment(working_folder, "wrong", BASE_YAML + addition)
    outcome = call_command_line(arguments)
    assert outcome.exit_code == 2
    assert suggestion in outcome.stderr
    assert "wrong.yaml" in outcome.stderr
    assert not (working_folder / "runs").exists()


def test_broken_yaml_is_a_message(working_folder: Path) -> None:
    arguments = write_experiment(working_folder, "broken", BASE_YAML + "rl: {gamma: [\n")
    outcome = call_command_line(arguments)
    assert outcome.exit_code == 2
    assert "Traceback" not in outcome.stderr
    assert "broken.yaml" in outcome.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"scenario: toy\n", "must begin with the line '# @package _global_'"),
        (b"\xff\xfe", "not text in UTF-8"),
        (b"# @package _global_\nrl: [1, 2\n", "is not valid YAML: in line 3"),
    ],
    ids=["no package", "no text", "no YAML"],
)
def test_a_file_that_is_no_experiment_is_named(
    content: bytes, said: str, working_folder: Path
) -> None:
    arguments = write_experiment(working_folder, "wrong", "")
    (working_folder / "mine" / "experiment" / "wrong.yaml").write_bytes(content)
    outcome = call_command_line(arguments)
    assert outcome.exit_code == 2
    assert said in outcome.stderr
    assert "wrong.yaml" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_dataset_without_test_split_is_refused_at_once(working_folder: Path) -> None:
    split = working_folder / "mine" / "raw" / "train"
    split.mkdir(parents=True)
    (split / "data.pt").touch()
    arguments = ["scenario=graph_isomorphism", "dataset=./mine", "trainer=vanilla_ppo"]
    outcome = call_command_line(arguments)
    assert outcome.exit_code == 2
    assert "mine has no test split" in outcome.stderr


def test_a_random_agent_is_chosen_without_a_plus(working_folder: Path) -> None:
    outcome = call_command_line([*TOY, *TINY, "agents.prover.is_random=true", "dry_run=true"])
    assert outcome.exit_code == 0, outcome.stderr
    assert "prover (random)" in outcome.stdout


def test_an_update_schedule_is_chosen_without_a_plus(working_folder: Path) -> None:
    schedule = "agents.verifier.update_schedule"
    period = f"{schedule}.ContiguousPeriodicUpdateSchedule"
    arguments = [f"{schedule}._type=ContiguousPeriodicUpdateSchedule"]
    arguments += [f"{period}.period=4", f"{period}.start=0", f"{period}.stop=2"]
    outcome = call_command_line([*TOY, *TINY, *arguments, "dry_run=true"])
    assert outcome.exit_code == 0, outcome.stderr


def test_a_dry_run_reports_and_leaves_nothing_behind(working_folder: Path) -> None:
    sizes = ["rl.frames_per_batch=64", "rl.steps_per_env_per_iteration=8", "rl.num_epochs=3"]
    sizes += ["rl.minibatch_size=16"]
    sizes += ["rl.num_iterations=5", "rl.num_test_iterations=2"]
    outcome = call_command_line([*TOY, *sizes, "dry_run=true"])
    assert outcome.exit_code == 0, outcome.stderr
    for line in (
        "8 per environment and iteration",
        "64 per iteration",
        "12 per iteration",
        "5 to train",
        "prover",
        "verifier",
    ):
        assert line in outcome.stdout
    assert list(working_folder.iterdir()) == []


def test_a_run_is_kept_and_not_repeated(working_folder: Path) -> None:
    arguments = [*TOY, *TINY, "run_id=first"]
    outcome = run_command_line(arguments, working_folder, imports_matter=False)
    assert outcome.exit_code == 0, outcome.stderr
    folder = working_folder / "runs" / "first"
    result = json.loads((folder / "result.json").read_text())
    assert result["run_id"] == "first"
    assert result["status"] == "completed"
    assert "test_mean_accuracy" in result["metrics"]
    assert "test" in outcome.stdout
    assert str(Path("runs") / "first") in outcome.stdout
    assert [path.name for path in working_folder.iterdir()] == ["runs"]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}
    lines = [[*arguments, "rl.gamma=0.5"], [*arguments, "resume=never"]]
    lines += [[*TOY, "run_id=absent", "resume=must"], arguments]
    changed, refused, absent, again = call_command_lines(lines, working_folder)
    assert changed.exit_code == refused.exit_code == absent.exit_code == 2
    assert "rl.gamma: 0.9 → 0.5" in changed.stderr
    assert "resume=never" in refused.stderr
    assert "'absent'" in absent.stderr
    assert changed.heavy_imports == refused.heavy_imports == absent.heavy_imports == []
    assert not (working_folder / "runs" / "absent").exists()
    assert again.exit_code == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")} == before
    assert "torchrl" not in again.heavy_imports


def test_each_job_of_a_sweep_is_a_run_with_a_name_of_its_own(working_folder: Path) -> None:
    outcome = run_command_line(
        [*TOY, "--multirun", "seed=1,2", *TINY, "rl.gamma=0.5,0.75", "run_id=grid"],
        working_folder,
        imports_matter=False,
    )
    assert outcome.exit_code == 0, outcome.stderr
    runs = {path.name: path for path in (working_folder / "runs").glob("[!.]*")}
    assert sorted(runs) == [
        f"grid-seed-{seed}-gamma-{gamma}" for seed in (1, 2) for gamma in ("0.5", "0.75")
    ]
    stored = yaml.safe_load((runs["grid-seed-2-gamma-0.75"] / "hyper_params.yaml").read_text())
    assert (stored["seed"], stored["rl"]["gamma"]) == (2, 0.75)


def test_a_sweep_over_protocols_gives_each_its_agents(working_folder: Path) -> None:
    protocols = "interaction_protocol=nip,solo_verifier"
    outcome = call_command_line([*TOY, *TINY, protocols, "run_id=p", "--multirun"])
    assert outcome.exit_code == 0, outcome.stderr
    stored = working_folder / "runs" / "p-interaction_protocol-solo_verifier" / "hyper_params.yaml"
    assert "prover" not in yaml.safe_load(stored.read_text())["agents"]


PLUGIN = '''
from dataclasses import dataclass

from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.trainers.registry import register_trainer
from nip.trainers.builtin.vanilla_ppo import VanillaPpoTrainer


@register_parameter_class
@dataclass
class WarmParameters(SubParameters):
    """Parameters of the trainer of this test."""

    temperature: float = 1.0
    """Softness of the target."""


@register_trainer("warm", parameters=WarmParameters)
class WarmTrainer(VanillaPpoTrainer):
    def train(self) -> None:
        print("temperature", self.hyper_params.warm.temperature)
        super().train()
'''


@pytest.mark.parametrize("name", ["warm_plugin", "./warm_plugin.py"])
def test_a_plugin_brings_a_trainer_and_its_parameters(name: str, working_folder: Path) -> None:
    (working_folder / "warm_plugin.py").write_text(PLUGIN)
    arguments = ["scenario=toy", "dataset=witness", "trainer=warm", *TINY, f"plugins=[{name}]"]
    right = [*arguments, "warm.temperature=0.5", "run_id=warm"]
    outcome = run_command_line(right, working_folder, imports_matter=False)
    assert outcome.exit_code == 0, outcome.stderr
    assert "temperature 0.5" in outcome.stdout
    stored = yaml.safe_load((working_folder / "runs/warm/hyper_params.yaml").read_text())
    assert stored["warm"]["temperature"] == 0.5
    wrong = [*arguments, "warm.temperatur=0.5"]
    misspelt = run_command_line(wrong, working_folder, imports_matter=False)
    assert misspelt.exit_code == 2
    assert "Did you mean 'warm.temperature'?" in misspelt.stderr


def test_a_plugin_that_fails_says_where(working_folder: Path) -> None:
    (working_folder / "bad_plugin.py").write_text("x = 1\nraise RuntimeError('no luck')\n")
    outcome = call_command_line([*TOY, "plugins=[bad_plugin]"])
    assert outcome.exit_code == 2
    for words in ("bad_plugin", "line 2", "RuntimeError: no luck"):
        assert words in outcome.stderr


def test_a_plugin_named_in_yaml_is_loaded(working_folder: Path) -> None:
    (working_folder / "warm_plugin.py").write_text(PLUGIN)
    text = "scenario: toy\ndataset: witness\ntrainer: warm\nplugins: [warm_plugin]\n"
    arguments = write_experiment(
        working_folder, "with_plugin", text + "warm: {temperature: 0.75}\n"
    )
    arguments = [*arguments, *TINY, "run_id=warm"]
    outcome = run_command_line(arguments, working_folder, imports_matter=False)
    assert outcome.exit_code == 0, outcome.stderr
    assert "temperature 0.75" in outcome.stdout


def test_ctrl_c_before_anything_was_begun_says_so(
    working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as leaving, plain_messages():
        interrupt()
    assert leaving.value.code == 130
    assert capsys.readouterr().err == "\nStopped before the run was started.\n"
    request = read_request(
        compose_run([*TOY, "run_id=never_begun"], ConfigFolders(REPOSITORY / "configs")).tree
    )
    assert how_to_resume(request.experiment) == stopped_early()


def test_ctrl_c_says_how_to_go_on(working_folder: Path) -> None:
    arguments = [*TOY, "rl.num_iterations=100000", "rl.frames_per_batch=32", "rl.minibatch_size=16"]
    checkpoints = working_folder / "runs" / "long" / "checkpoints"
    process = start_command_line(
        [*arguments, "run_id=long", "settings.checkpoint_period=1"],
        working_folder,
        imports_matter=False,
    )
    try:
        while not (checkpoints.is_dir() and any(checkpoints.iterdir())):
            assert process.wait(0.05) is None
        os.kill(process.pid, signal.SIGINT)
        ended = process.wait(60)
    finally:
        process.kill()
    assert ended is not None and ended.exit_code == 130
    assert "run_id=long" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (working_folder / "runs" / "long" / "result.json").exists()
