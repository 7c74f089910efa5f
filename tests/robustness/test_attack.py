"""Attacks on trained verifiers: what should hold holds, and what should break breaks."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from nip.commands.attack import main, parse_architecture, parse_architectures
from nip.errors import CheckpointError, ParameterError, StorageError
from nip.parameters import HyperParameters
from nip.robustness import AttackOptions, AttackReport, attack_run
from nip.run import run_experiment
from nip.run_store.reading import read_parameters
from nip.trainers.core.callback import Callback
from nip.trainers.core.components import TrainerComponents
from nip.trainers.core.context import TrainingContext
from nip.trainers.tensor.weights.saved_models import load_model
from tests.experiments import make_instance, make_params, make_settings
from tests.text_experiments import make_text_params

LEARNS = {
    "rollouts_per_iteration": 256,
    "minibatch_size": 256,
    "num_epochs": 4,
    "num_normalization_steps": 1000,
    "lr": 0.05,
    "greedy_test": True,
}


def game(dataset: str, shared: bool, num_iterations: int = 25, **changes: Any) -> HyperParameters:
    common, rl = {"shared_reward": shared}, LEARNS | {"num_iterations": num_iterations}
    return make_params(dataset=dataset, seed=0, protocol_common=common, rl=rl, **changes)


def accuracies(report: AttackReport, label: int | None) -> dict[str, float]:
    return {each.provers: each.accuracy for each in report.kept if each.label == label}


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A verifier that learnt from a friend, and one that learnt from an opponent."""
    folder = tmp_path_factory.mktemp("attacked")
    run_experiment(game("cheap_talk", True), run_id="friends", settings=make_settings(folder))
    run_experiment(game("witness", False), run_id="opponents", settings=make_settings(folder))
    return folder


def test_a_verifier_that_only_knows_friends_is_broken_and_only_once_trained(
    runs_dir: Path,
) -> None:
    settings = make_settings(runs_dir)
    options = AttackOptions(seeds=(1, 2), num_iterations=10)
    report = attack_run("friends", options, settings=settings)
    whole, rejected = accuracies(report, None), accuracies(report, 0)
    assert whole["of the run"] == 1.0
    assert rejected["attack 1"] <= 0.05 and rejected["attack 2"] <= 0.05
    assert rejected["best answers"] == 0.0
    # What should be accepted cannot be attacked: the friend says it.
    assert accuracies(report, 1)["strongest attacks"] == 1.0
    assert report.robust_accuracy == pytest.approx(0.5)
    stored = json.loads((runs_dir / "friends" / "attack.json").read_text())
    assert stored["robust_accuracy"] == report.robust_accuracy
    assert (runs_dir / "friends" / "attack.png").read_bytes().startswith(b"\x89PNG")
    # Completed attacks are runs of their own, which are not trained again.
    changed = {name: (runs_dir / name / "run.db").stat().st_mtime_ns for name in report.attacks}
    assert attack_run("friends", options, settings=settings) == report
    assert changed == {
        name: (runs_dir / name / "run.db").stat().st_mtime_ns for name in report.attacks
    }


def test_a_verifier_that_knows_opponents_holds(runs_dir: Path) -> None:
    options = AttackOptions(seeds=(1,), num_iterations=10)
    report = attack_run("opponents", options, settings=make_settings(runs_dir))
    assert accuracies(report, None)["best answers"] == 1.0
    assert report.robust_accuracy == 1.0
    # A random prover names the mark in a quarter of the episodes.
    assert accuracies(report, 1)["random"] < 0.6


def test_the_attacked_verifier_keeps_its_weights(runs_dir: Path) -> None:
    options = AttackOptions(seeds=(5,), num_iterations=2, search=False)
    report = attack_run("friends", options, settings=make_settings(runs_dir))
    (name,) = report.attacks
    instance = make_instance(game("cheap_talk", True))
    found = []
    for run in ("friends", name):
        load_model(runs_dir / run, instance.agents, instance.normalizer)
        states = (instance.agents.agents[agent].state_dict() for agent in ("verifier", "prover"))
        found.append([{key: value.clone() for key, value in state.items()} for state in states])
    (verifier, prover), (same_verifier, other_prover) = found
    torch.testing.assert_close(same_verifier, verifier, rtol=0, atol=0)
    assert any(not torch.equal(other_prover[key], value) for key, value in prover.items())


def test_a_run_with_zero_knowledge_is_attacked_by_provers_that_do_not_care_for_it(
    tmp_path: Path,
) -> None:
    common = {"zero_knowledge": True}
    params = make_params(dataset="cheap_talk", protocol_common=common, rl={"num_iterations": 1})
    run_experiment(params, run_id="zk", settings=make_settings(tmp_path))
    # Four answers about each datapoint; those to the adversarial verifier are not tried.
    options = AttackOptions(seeds=(1,), num_iterations=1, max_states=4)
    report = attack_run("zk", options, settings=make_settings(tmp_path))
    assert {"attack 1", "strongest attacks", "best answers"} < accuracies(report, 0).keys()
    # An attacker is not paid for behaving so that a simulator could imitate its listener.
    attack = read_parameters(tmp_path / report.attacks[0])
    assert attack["zk_protocol"]["aux_prover_reward_coefficient"] == 0


def test_architectures_of_attackers_are_their_own(runs_dir: Path) -> None:
    options = AttackOptions(
        seeds=(1,),
        num_iterations=1,
        search=False,
        architectures={"deep": {"d_hidden": 3}, "same": {}},
    )
    report = attack_run("friends", options, settings=make_settings(runs_dir))
    assert {"attack 1, deep", "attack 1, same"} <= set(accuracies(report, 0))
    agents = read_parameters(runs_dir / report.attacks[0])["agents"]
    assert (agents["prover"]["d_hidden"], agents["verifier"]["d_hidden"]) == (3, 0)


def test_a_search_that_is_too_large_is_left_out_and_said(runs_dir: Path) -> None:
    options = AttackOptions(seeds=(1,), num_iterations=1, max_states=2)
    report = attack_run("friends", options, settings=make_settings(runs_dir))
    assert "More than 2 states" in report.note
    assert "best answers" not in accuracies(report, None)


def test_a_verifier_is_measured_on_another_dataset_without_training(runs_dir: Path) -> None:
    settings = make_settings(runs_dir)
    options = AttackOptions(seeds=(), dataset="cheap_talk", sampled=True, num_repeats=8)
    report = attack_run("friends", options, settings=settings)
    assert report.attacks == ()
    names = list(dict.fromkeys(each.provers for each in report.kept))
    assert names == ["of the run", "random", "best answers"]
    assert accuracies(report, 0)["best answers"] <= 0.05
    stored = json.loads((runs_dir / "friends" / "attack-cheap_talk.json").read_text())
    assert stored["dataset"] == "cheap_talk"
    (random_all,) = [
        each for each in stored["kept"] if each["provers"] == "random" and each["label"] is None
    ]
    assert 0 <= random_all["worst"] < random_all["accuracy"]


def test_what_cannot_be_attacked_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with pytest.raises(ParameterError, match=r"^The run 'nothing' cannot be attacked: There is no"):
        attack_run("nothing", settings=settings)
    run_experiment(make_text_params(), run_id="text", settings=settings)
    with pytest.raises(
        ParameterError, match="trainer='pure_text_ei', whose agents are no networks"
    ):
        attack_run("text", settings=settings)
    run_experiment(make_params(trainer="solo_agent"), run_id="solo", settings=settings)
    with pytest.raises(ParameterError, match="trainer='solo_agent', whose agents play no episodes"):
        attack_run("solo", settings=settings)
    run_experiment(make_params("matrix_games", "spg", "nip"), run_id="game", settings=settings)
    with pytest.raises(ParameterError, match="scenario='matrix_games', whose agents are no net"):
        attack_run("game", settings=settings)
    run_experiment(make_params(protocol="solo_verifier"), run_id="alone", settings=settings)
    with pytest.raises(ParameterError, match="No prover of the protocol 'solo_verifier'"):
        attack_run("alone", settings=settings)
    with pytest.raises(CheckpointError, match="7"):
        attack_run("alone", AttackOptions(checkpoint="7"), settings=settings)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
        "alone",
        "game",
        "solo",
        "text",
    ]


def test_a_run_that_may_not_be_written_is_refused_before_anything_is_trained(
    runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nip.robustness.attack.os.access", lambda path, mode: False)
    with pytest.raises(StorageError, match=r"may not write to .*friends, where .* Copy the run"):
        attack_run("friends", AttackOptions(seeds=(9,)), settings=make_settings(runs_dir))


def test_options_are_checked() -> None:
    with pytest.raises(ParameterError, match="num_iterations must be at least 1, got 0"):
        AttackOptions(num_iterations=0)
    assert parse_architecture(["wide", "d_hidden=3"]) == ("wide", {"d_hidden": 3})
    for words in (["d_hidden=3"], ["wide", "d_hidden"]):
        with pytest.raises(ParameterError, match="--architecture"):
            parse_architecture(words)


def test_no_attack_is_left_out_because_it_has_the_name_of_another(
    runs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = ["wide", "d_hidden=3"]
    assert parse_architectures([wide, ["deep"]]) == {"wide": {"d_hidden": 3}, "deep": {}}
    with pytest.raises(ParameterError, match="--architecture wide is given twice"):
        parse_architectures([wide, ["wide", "d_hidden=4"]])
    assert main(["friends", "--runs-dir", str(runs_dir), "--seeds", "2", "1", "2"]) == 2
    assert "seeds must differ, got 2 more than once" in capsys.readouterr().err


class Stir(Callback):
    """Changes the weights of the verifier."""

    def on_iteration_end(self, context: TrainingContext) -> None:
        with torch.no_grad():
            for weight in context.trainer.scenario_instance.agents.agents["verifier"].parameters():
                weight += 0.5


def test_attacks_on_other_weights_are_refused(tmp_path: Path) -> None:
    """Their folders may be left from a run of the same name, or come with one of somebody else."""
    params = game("cheap_talk", True, num_iterations=1)
    options = AttackOptions(seeds=(1,), num_iterations=1, search=False)
    for name, callbacks in (("theirs", []), ("mine", [Stir()])):
        settings = make_settings(tmp_path / name)
        components = TrainerComponents(callbacks=callbacks)
        run_experiment(params, run_id="run", components=components, settings=settings)
    report = attack_run("run", options, settings=make_settings(tmp_path / "theirs"))
    for attack in report.attacks:
        shutil.copytree(tmp_path / "theirs" / attack, tmp_path / "mine" / attack)
    with pytest.raises(ParameterError, match=r"has not attacked this run.* Delete it"):
        attack_run("run", options, settings=make_settings(tmp_path / "mine"))
    for attack in report.attacks:
        shutil.rmtree(tmp_path / "mine" / attack)
    attack_run("run", options, settings=make_settings(tmp_path / "mine"))


def test_what_a_run_names_outside_is_used_only_if_it_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = {"brain_file": "/etc/passwd"}
    params = game("cheap_talk", True, num_iterations=1, rehearsal=foreign)
    run_experiment(params, run_id="foreign", settings=make_settings(tmp_path))
    arguments = ["foreign", "--runs-dir", str(tmp_path), "--seeds", "1", "--num-iterations", "1"]
    arguments += ["--no-search"]
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "add --given rehearsal.brain_file=/etc/passwd to the command line" in message
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["foreign"]
    assert main([*arguments, "--given", "rehearsal.brain_file=/etc/shadow"]) == 0
    assert main([*arguments, "--given", "rehearsal.brain_fil=/etc/shadow"]) == 2
    assert "rehearsal.brain_file" in capsys.readouterr().err
    assert main([*arguments, "--given", "rehearsal.brain_file"]) == 2
    assert "must be a parameter and a value" in capsys.readouterr().err


def test_the_command_line_prints_what_is_kept(
    runs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["friends", "--runs-dir", str(runs_dir), "--seeds", "1", "--num-iterations", "15"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "best answers" in printed and "attack.png" in printed
    assert main(["nothing", "--runs-dir", str(runs_dir)]) == 2
    assert "nothing" in capsys.readouterr().err
