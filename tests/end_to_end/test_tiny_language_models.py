"""Two tiny language models learn from each other on quotes, with real models and real jobs."""

import subprocess
import sys
from pathlib import Path

import pytest

from nip.run_store.reading import read_history

pytest.importorskip("transformers")


def run_script(repository: Path, folder: Path, script: str, *arguments: str) -> None:
    command = [sys.executable, repository / "scripts" / f"{script}.py", *arguments]
    subprocess.run(command, cwd=folder, check=True)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_expert_iteration_teaches_a_verifier_that_guessed(repository: Path, tmp_path: Path) -> None:
    run_script(repository, tmp_path, "create_quotes_models", "tiny")
    options = ["experiment=tiny_ei", "seed=1", "run_id=run", "rl.num_iterations=10"]
    run_script(repository, tmp_path, "run_experiment", *options)
    metrics = read_history(tmp_path / "runs" / "run")
    accuracy, low, high = (
        [value for _, value in metrics.values(f"test_mean_accuracy{end}")]
        for end in ("", "_ci_low", "_ci_high")
    )
    assert accuracy[0] < 0.6
    assert accuracy[-1] >= 0.8
    assert low[-1] > high[0]
    fabricated = [value for _, value in metrics.values("test_prover.fabricated_share")]
    assert fabricated[-1] < fabricated[0]
