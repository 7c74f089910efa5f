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


@pytest.fixture(scope="module")
def models(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the models in ``data``."""
    folder = tmp_path_factory.mktemp("models")
    run_script(repository, folder, "create_quotes_models", "tiny")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("experiment", "num_iterations", "expected"),
    [("tiny_ei", 10, 0.8), ("tiny_malt", 16, 0.8), ("tiny_grpo", 10, 0.8)],
)
def test_training_teaches_a_verifier_that_guessed(
    repository: Path, models: Path, experiment: str, num_iterations: int, expected: float
) -> None:
    options = [f"experiment={experiment}", "seed=1", f"run_id={experiment}"]
    options.append(f"rl.num_iterations={num_iterations}")
    run_script(repository, models, "run_experiment", *options)
    metrics = read_history(models / "runs" / experiment)
    accuracy, low, high = (
        [value for _, value in metrics.values(f"test_mean_accuracy{end}")]
        for end in ("", "_ci_low", "_ci_high")
    )
    assert accuracy[0] < 0.6
    assert accuracy[-1] >= expected
    assert low[-1] > high[0]
    fabricated = [value for _, value in metrics.values("test_prover.fabricated_share")]
    assert fabricated[-1] < fabricated[0]
    invalid = [value for _, value in metrics.values("test_verifier.retry_share")]
    assert invalid[-1] < invalid[0]
