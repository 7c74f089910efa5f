"""The experiments with images show what they claim: a verifier needs to be shown where to look."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RANDOM_CEILING = {"plus_nip": 0.5 + 1 / 32}
"""Accuracy that no verifier exceeds with a random prover, which shows one plus in 16."""


def accuracy_of(repository: Path, folder: Path, experiment: str, *overrides: str) -> float:
    script = repository / "scripts" / "run_experiment.py"
    arguments = [f"experiment={experiment}", "run_id=run", *overrides]
    subprocess.run([sys.executable, script, *arguments], cwd=folder, check=True)
    result = json.loads((folder / "runs" / "run" / "result.json").read_text())
    return result["metrics"]["test_mean_accuracy"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("protocol", ["nip", "debate", "merlin_arthur"])
@pytest.mark.parametrize("task", ["plus", "digits"])
def test_a_prover_that_learns_shows_a_weak_verifier_where_to_look(
    repository, tmp_path, task, protocol
):
    assert accuracy_of(repository, tmp_path, f"{task}_{protocol}") >= 0.95


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_prover_that_points_at_random_does_not(repository, tmp_path):
    random = ["agents.prover.is_random=true", "rl.num_iterations=16"]
    accuracy = accuracy_of(repository, tmp_path, "plus_nip", *random)
    # Three standard errors of a share among 6000 images.
    assert accuracy <= RANDOM_CEILING["plus_nip"] + 0.02
