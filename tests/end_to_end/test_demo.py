"""The demo shows what it claims: conversation lifts a verifier over its ceiling, noise does not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CEILING = 0.64
"""Share of the pairs that two layers can tell apart, or are isomorphic: 0.5 + 0.04 + 0.1."""


def run_script(repository: Path, folder: Path, script: str, *arguments: str) -> None:
    command = [sys.executable, repository / "scripts" / script, *arguments]
    subprocess.run(command, cwd=folder, check=True)


@pytest.fixture(scope="module")
def folder(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    run_script(
        repository, folder, "create_gi_dataset.py", "demo", "--score-fractions", "0.08", "0.2"
    )
    return folder


def accuracy_of(repository: Path, folder: Path, run_id: str) -> float:
    experiment = f"experiment=gi_{run_id}"
    run_script(repository, folder, "run_experiment.py", experiment, f"run_id={run_id}")
    result = json.loads((folder / "runs" / run_id / "result.json").read_text())
    return result["metrics"]["test_mean_accuracy"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_prover_that_learns_lifts_the_verifier_over_its_ceiling(repository, folder):
    assert accuracy_of(repository, folder, "demo") >= 0.85


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_prover_that_talks_at_random_does_not(repository, folder):
    accuracy = accuracy_of(repository, folder, "demo_random_prover")
    assert 0.5 < accuracy <= CEILING + 0.02


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_questions_leave_a_dishonest_prover_nearly_nothing(repository, folder):
    assert accuracy_of(repository, folder, "results_nip") >= 0.99
    run_script(repository, folder, "attack.py", "results_nip", "--no-training")
    report = json.loads((folder / "runs" / "results_nip" / "attack.json").read_text())
    # With the best of all answers; one question keeps about 0.98.
    assert report["robust_accuracy"] >= 0.99
