"""Attacks during training."""

import pytest

from nip.errors import NipWarning, ParameterError, UnknownNameError
from nip.run import run_experiment
from tests.experiments import make_params, make_settings

ATTACK = {"name": "attack", "every": 8, "num_iterations": 8}
LEARNS = {
    "rollouts_per_iteration": 128,
    "minibatch_size": 128,
    "num_epochs": 4,
    "num_iterations": 16,
    "lr": 0.1,
    "greedy_test": True,
}


def train(folder, dataset, shared, run_id="run", **changes):
    callbacks = changes.pop("callbacks", [ATTACK])
    params = make_params(
        dataset=dataset,
        protocol_common={"shared_reward": shared},
        callbacks=callbacks,
        rl={**LEARNS, **changes.pop("rl", {})},
        **changes,
    )
    return run_experiment(params, run_id=run_id, settings=make_settings(folder))


def test_an_attack_breaks_a_verifier_that_only_knows_friends(tmp_path):
    metrics = train(tmp_path, "cheap_talk", True).metrics
    assert metrics["mean_accuracy"] > 0.95
    assert metrics["attack_soundness"] == 0.0
    assert metrics["attack_accuracy"] == 0.5
    assert metrics["attack_best_answers_accuracy"] == 0.5
    # Nobody gains from a rejection.
    assert "attack_completeness" not in metrics


def test_a_verifier_that_asks_for_proofs_holds_and_the_trainer_may_be_reinforce(tmp_path):
    metrics = train(tmp_path, "witness", False, trainer="reinforce").metrics
    assert metrics["mean_accuracy"] > 0.9
    assert metrics["attack_soundness"] == metrics["attack_best_answers_accuracy"] == 1.0


def test_the_best_checkpoint_can_be_that_of_the_best_accuracy_under_attack(tmp_path):
    best = {"name": "best_checkpoint", "monitor": "attack_accuracy"}
    run = train(
        tmp_path,
        "witness",
        False,
        callbacks=[{**ATTACK, "every": 4}, best],
        rl={"num_iterations": 9},
    )
    assert run.best_checkpoint.name in ("iteration_000004", "iteration_000008")
    other = {**best, "monitor": "attack_completeness"}
    with pytest.raises(UnknownNameError, match="monitor='attack_completeness'"):
        train(tmp_path, "witness", False, "other", callbacks=[ATTACK, other])


def test_a_second_attack_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="The callback 'attack' is given twice"):
        train(tmp_path, "witness", False, callbacks=[ATTACK, {**ATTACK, "every": 5}])
    assert list(tmp_path.iterdir()) == []


def test_a_search_that_is_too_large_is_left_out_and_said_unless_it_is_needed(tmp_path):
    small = {**ATTACK, "every": 1, "num_iterations": 1, "max_states": 2}
    few = {"num_iterations": 2}
    with pytest.warns(
        NipWarning, match="no attack_best_answers_accuracy. More than 2 st"
    ) as caught:
        metrics = train(tmp_path, "witness", False, callbacks=[small], rl=few).metrics
    assert len(caught) == 1
    assert "attack_best_answers_accuracy" not in metrics
    needed = {"name": "best_checkpoint", "monitor": "attack_best_answers_accuracy"}
    with pytest.raises(ParameterError, match="Or monitor attack_accuracy"):
        train(tmp_path, "witness", False, "needed", callbacks=[small, needed], rl=few)


def test_protocols_that_nobody_would_attack_and_several_processes_are_refused(
    tmp_path, monkeypatch
):
    often = {"name": "attack", "every": 1}
    params = make_params(protocol="solo_verifier", callbacks=[often])
    with pytest.raises(ParameterError, match="No prover of the protocol 'solo_verifier'"):
        run_experiment(params, run_id="run", settings=make_settings(tmp_path))
    monkeypatch.setattr(
        "nip.robustness.callbacks.attack.launched_ranks", lambda: type("Two", (), {"size": 2})()
    )
    params = make_params(callbacks=[often])
    with pytest.raises(ParameterError, match="works in a single process, but there are 2"):
        run_experiment(params, run_id="run", settings=make_settings(tmp_path))
    assert list(tmp_path.iterdir()) == []
