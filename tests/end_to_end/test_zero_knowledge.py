"""Zero knowledge removes a leak that message regression finds, and costs no accuracy."""

from pathlib import Path
from typing import Any

import pytest

from nip.run import run_experiment
from tests.experiments import make_params, make_settings

PROBE = {
    "enabled": True,
    "agents": ["prover"],
    "mlp_num_epochs": 60,
    "mlp_learning_rate": 0.01,
    "mlp_batch_size": 64,
}
RL = {
    "rollouts_per_iteration": 64,
    "minibatch_size": 64,
    "num_iterations": 40,
    "num_test_iterations": 8,
    "normalize_observations": False,
    "lr": 0.3,
}


def measure(folder: Path, target: str, dataset: str, **changes: Any) -> tuple:
    """Return the test accuracy of the verifier, and that of the network that reads the prover."""
    zero_knowledge = {"shared_reward": True, **changes.pop("protocol_common", {})}
    params = make_params(
        dataset=dataset,
        protocol_common=zero_knowledge,
        message_regression={**PROBE, "target": target},
        rl={**RL, **changes.pop("rl", {})},
        **changes,
    )
    settings = make_settings(folder, checkpoint_period=40)
    metrics = run_experiment(params, run_id="run", settings=settings).metrics
    accuracy = metrics["test_mean_accuracy"]
    return accuracy, metrics["test_prover.message_regression_accuracy"]


def test_words_between_friends_reveal_the_label(tmp_path) -> None:
    accuracy, revealed = measure(tmp_path, "y", "cheap_talk", rl={"lr": 0.1})
    assert accuracy >= 0.99
    assert revealed == 1.0


def secret_talk(folder: Path, aux: float, seed: int) -> tuple:
    return measure(
        folder,
        "secret",
        "secret_talk",
        seed=seed,
        protocol_common={"zero_knowledge": True},
        zk_protocol={"aux_prover_reward_coefficient": aux},
    )


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_prover_that_pays_for_leaks_tells_the_label_and_nothing_more(seed, tmp_path) -> None:
    leaking_accuracy, leaked = secret_talk(tmp_path / "leaking", 0.0, seed)
    accuracy, revealed = secret_talk(tmp_path / "discreet", 1.0, seed)
    # Who knows the label, and nothing more, guesses one secret of two.
    assert leaked >= 0.8
    assert 0.4 <= revealed <= 0.6
    assert accuracy >= leaking_accuracy - 0.02
    assert accuracy >= 0.97
